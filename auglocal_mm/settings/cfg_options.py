"""``--cfg-options``: values in Python syntax, or without quotes as in the OpenMMLab tools."""

import argparse
import ast
from collections.abc import Iterator
from typing import Any

from mmengine.config import DictAction

NAMES = {'true': True, 'false': False, 'inf': float('inf'), 'nan': float('nan')}
BRACKETS = {'(': ')', '[': ']', '{': '}'}


class CfgOptions(DictAction):
    """``--cfg-options`` as in the OpenMMLab tools, and also dicts inside lists, and paths with spaces."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Reads ``values``, each ``key=value``, into a dict."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for each in values:
            key, equals, text = each.partition('=')
            if not equals:
                parser.error(f'{option_string} has {each!r}; expected key=value, as in train_cfg.max_epochs=5')
            try:
                options[key] = parse_value(text)
            except ValueError as error:
                parser.error(f'{option_string} has {each!r}: {error}')
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """Parses a value given on the command line.

    Args:
        text: Python, as in ``[dict(type='DGLHead'), 3]``; or words and lists of words without quotes, as in ``[a,b]``,
            ``1,2`` or ``/my data/imagenet``.

    Raises:
        ValueError: It begins like a list or a dict, but is not one.
    """
    text = text.strip()
    try:
        value = _evaluate(ast.parse(text, mode='eval').body)
        return list(value) if isinstance(value, tuple) and not text.startswith('(') else value
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    if text.startswith(('{', 'dict(')):
        raise ValueError('it is not a valid Python dict; quote the strings inside it')
    if text[:1] in ('[', '(') and not text.endswith(BRACKETS[text[0]]):
        raise ValueError(f'expected {BRACKETS[text[0]]} at the end')
    bracketed = text[:1] in ('[', '(')
    parts = list(_parts(text[1:-1] if bracketed else text))
    if not bracketed and len(parts) == 1:
        return text
    values = [parse_value(part) for part in parts if part.strip()]
    return tuple(values) if text.startswith('(') else values


def _evaluate(node: ast.expr) -> Any:
    """Evaluates literals, ``dict(key=value)``, and names, which are strings.

    Raises:
        ValueError: Anything else.
    """
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.Name(id=name):
            return NAMES.get(name.lower(), name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float() as value)):
            return -value if isinstance(node.op, ast.USub) else value
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_evaluate(key): _evaluate(value) for key, value in pairs if key is not None}
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
            return {keyword.arg: _evaluate(keyword.value) for keyword in keywords if keyword.arg}
    raise ValueError(f'{type(node).__name__} is not a literal')


def _parts(text: str) -> Iterator[str]:
    """Splits ``text`` at the commas that are not inside brackets.

    Raises:
        ValueError: Brackets do not match.
    """
    start, open_brackets = 0, []
    for position, character in enumerate(text):
        if character in BRACKETS:
            open_brackets.append(BRACKETS[character])
        elif character in BRACKETS.values():
            if not open_brackets or open_brackets.pop() != character:
                raise ValueError('brackets do not match')
        elif character == ',' and not open_brackets:
            yield text[start:position]
            start = position + 1
    if open_brackets:
        raise ValueError('brackets do not match')
    yield text[start:]
