"""Reads the config of a run that MMEngine wrote into a work_dir, as data: no code is run."""

import ast
import builtins
import functools
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mmengine
import yaml

SUFFIXES = ('.py', '.json', '.yaml', '.yml')
LARGEST = 2**20
"""Bytes; even a config with all class names of ImageNet-21k is smaller."""


class NotARecordError(ValueError):
    """The file is not a config that MMEngine wrote for a run."""


def read_record(path: Path) -> dict[str, Any] | None:
    """Reads the config that MMEngine dumped.

    Returns:
        Its values, with classes as dotted names. ``None`` if the file is anything else, such as a script, a config that
        inherits or computes, or a damaged file.
    """
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        values = _parser(path)(path.read_text(encoding='utf-8'))
        return values if isinstance(values, dict) and '_base_' not in values else None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, yaml.YAMLError):
        return None


def parse_record(text: str) -> dict[str, Any] | None:
    """As :func:`read_record`, for the text in a checkpoint."""
    try:
        return _python(text) if len(text) <= LARGEST else None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None


def may_overwrite(path: Path) -> bool:
    """Whether a new run may write its config to ``path``: it does not exist, or is the unedited config of a run."""
    if not path.exists():
        return True
    values = read_record(path)
    if values is None:
        return False
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.py':  # MMEngine writes no comments, and sorts the keys
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return _is_sorted(values) and all(token.type != tokenize.COMMENT for token in tokens)
    return text == mmengine.dump(values, file_format=path.suffix[1:])


def plain(value: Any) -> Any:
    """A config's value in the types of JSON, with classes and non-finite numbers as their names."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, type):
        return value.__name__ if value.__module__ == 'builtins' else f'{value.__module__}.{value.__qualname__}'
    in_json = math.isfinite(value) if isinstance(value, float) else isinstance(value, str | int | None)
    return value if in_json else str(value)


def _is_sorted(value: Any) -> bool:
    if isinstance(value, Mapping):
        return sorted(value, key=str) == list(value) and all(map(_is_sorted, value.values()))
    return not isinstance(value, list | tuple) or all(map(_is_sorted, value))


class _PlainLoader(yaml.SafeLoader):
    """Plain YAML and tuples, without aliases, with which a small file could expand to a huge tree."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise NotARecordError('an alias')
        return super().compose_node(parent, index)


_PlainLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple', lambda loader, node: tuple(loader.construct_sequence(node, deep=True))
)


def _parser(path: Path) -> Callable[[str], Any]:
    if path.suffix == '.py':
        return _python
    return json.loads if path.suffix == '.json' else functools.partial(yaml.load, Loader=_PlainLoader)


def _python(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values[name] = _value(value)
            case _:
                raise NotARecordError(ast.dump(statement)[:60])
    return values


def _value(node: ast.expr | None) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=items):
            return {_value(key): _value(item) for key, item in zip(keys, items, strict=True)}
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as items], keywords=[]):
            return _value(items)
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords) if all(k.arg for k in keywords):
            return {keyword.arg: _value(keyword.value) for keyword in keywords}
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(number := _value(operand), int | float):
            return -number
        case ast.Name(id='inf' | 'nan' as name):
            return float(name)
        case ast.Name(id=name) if isinstance(getattr(builtins, name, None), type):
            return name
        case ast.Attribute() if re.fullmatch(r'[\w.]+', name := ast.unparse(node)):
            return name
    raise NotARecordError(type(node).__name__)
