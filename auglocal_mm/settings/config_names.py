"""Top-level names of a config from which settings are built: overriding them has no effect, and is refused.

``data_root`` is one. A base config builds ``train_dataloader`` from it; a child that reassigns it, or ``--cfg-options
data_root=...``, comes too late, and training would run on the old folder.
"""

import ast
import difflib
import importlib.util
import inspect
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils import get_installed_path

from auglocal_mm.errors import InputError

READ_BESIDE = (
    *(
        'compile',
        'custom_imports',
        'layer_parallel',
        'sync_bn',
        'find_unused_parameters',
        'model_wrapper_cfg',
        'activation_checkpointing',
    ),
    *('efficient_conv_bn_eval', 'runner_type', 'tta_model', 'tta_pipeline'),
)
SETTINGS = {*inspect.signature(Runner.__init__).parameters, *READ_BESIDE} - {'self', 'cfg'}
"""The settings that MMEngine and the tools read."""


@dataclass(frozen=True)
class Statement:
    """The names that a top-level statement of a config assigns or changes, and those that it reads."""

    assigns: frozenset[str]
    uses: frozenset[str]


def refuse_changes_without_effect(config: Config, changes: Mapping[str, Any]) -> None:
    """Refuses overrides of names that are no longer read.

    Raises:
        InputError: Names the settings to override instead.
    """
    for key in dict.fromkeys(change.split('.')[0] for change in changes):
        if key in SETTINGS:
            continue
        similar = difflib.get_close_matches(key, SETTINGS, n=1, cutoff=0.8)
        places = [place for name in SETTINGS & set(config) for place in _places(config[name], config.get(key), name)]
        advice = f'did you mean {similar[0]}?' if similar else 'there is no such setting'
        if key in config:
            advice = f'other settings are built from it; set {_some(sorted(places)) or "those"} instead'
        raise InputError(f'--cfg-options sets {key}, which has no effect: {advice}')


def refuse_names_without_effect(path: Path) -> None:
    """Refuses names that a config reassigns after its base has built settings from them, and misspelt settings.

    Args:
        path: Of the config. Its bases are checked too, except those of installed packages.

    Raises:
        InputError: Names the file and the settings that would keep the old value.
    """
    own, bases = _statements(path), _bases(path)
    inherited = [statement for base in bases for statement in _chain(base)]
    assigned, known = _assigned(own), _assigned(inherited)
    for name in sorted(assigned - SETTINGS):
        if name not in known:
            _refuse_misspelt(name, path, own)
            continue
        rebuilt = _built_from(name, own)
        stale = sorted((_built_from(name, inherited) & SETTINGS) - rebuilt)
        if stale:
            _say_stale(name, path, bases, stale, refuse=not rebuilt)
    for base in bases:
        if 'site-packages' not in base.parts:
            refuse_names_without_effect(base)


def _say_stale(name: str, path: Path, bases: list[Path], stale: list[str], refuse: bool) -> None:
    """Logs which settings keep the old value of ``name``; an error if the config rebuilds none of them."""
    config, *inherited = (Config.fromfile(each, import_custom_modules=False) for each in (path, *bases))
    old = [base[name] for base in inherited if name in base and base[name] != config.get(name)]
    places = [place for value in old for key in stale for place in _places(config.get(key), value, key)]
    if not old or not (places or refuse):
        return
    message = (
        f'{path} sets {name}, but its base built {", ".join(stale)} from the old value; set {_some(places or stale)}'
    )
    if refuse:
        raise InputError(f'{message} instead')
    print_log(f'{message} as well, unless the old value is intended', logger='current', level=logging.WARNING)


def _assigned(statements: list[Statement]) -> set[str]:
    return {name for statement in statements for name in statement.assigns}


def _refuse_misspelt(name: str, path: Path, own: list[Statement]) -> None:
    similar = difflib.get_close_matches(name, SETTINGS - {'tta_pipeline'}, n=1, cutoff=0.85)
    if similar and not any(name in statement.uses for statement in own):
        raise InputError(f'{path} sets {name}, which nothing reads; did you mean {similar[0]}?')


def _built_from(name: str, statements: list[Statement]) -> set[str]:
    """All names that are assigned from ``name``, directly or through others."""
    found, before = {name}, set[str]()
    while found != before:
        before = set(found)
        found.update(*(statement.assigns for statement in statements if statement.uses & found))
    return found - {name}


def _chain(path: Path) -> list[Statement]:
    """The statements of a config and of all its bases."""
    return [*(statement for base in _bases(path) for statement in _chain(base)), *_statements(path)]


def _statements(path: Path) -> list[Statement]:
    return [_read(node) for node in ast.parse(path.read_text(encoding='utf-8')).body]


def _read(node: ast.stmt) -> Statement:
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    of_base = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == '_base_'
    }
    changed = node.targets if isinstance(node, ast.Assign) else [node.value] if isinstance(node, ast.Expr) else []
    assigns = {_owner(each) for each in changed} | {each.id for each in names if isinstance(each.ctx, ast.Store)}
    uses = of_base | {each.id for each in names if isinstance(each.ctx, ast.Load)}
    return Statement(frozenset(assigns - {'', '_base_'}), frozenset(uses))


def _owner(node: ast.AST) -> str:
    """``x`` of ``x``, ``x['a'].b`` and ``x.update(...)``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ''


def _bases(path: Path) -> list[Path]:
    """The files that a config names in ``_base_``, or imports under ``read_base()``."""
    found = []
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and _owner(node.targets[0]) == '_base_':
            given = ast.literal_eval(node.value)
            found += [_located(name, path) for name in ([given] if isinstance(given, str) else given)]
        elif isinstance(node, ast.With):
            found += [_imported(each, path) for each in node.body if isinstance(each, ast.ImportFrom)]
    return [base for base in found if base.suffix == '.py' and base.is_file()]


def _located(name: str, path: Path) -> Path:
    package, separator, inside = name.partition('::')
    return Path(get_installed_path(package), '.mim', 'configs', inside) if separator else path.parent / name


def _imported(node: ast.ImportFrom, path: Path) -> Path:
    if node.level:
        return path.parents[node.level - 1] / f'{(node.module or "").replace(".", "/")}.py'
    spec = importlib.util.find_spec(node.module or '')
    return Path(spec.origin if spec and spec.origin else '')


def _places(part: Any, value: Any, key: str) -> Iterator[str]:
    """Dotted keys inside ``part`` whose value is ``value``, or a string that begins with it."""
    if isinstance(value, str | list | dict) and value and (part == value or _begins(part, value)):
        yield key
    elif isinstance(part, Mapping | list | tuple):
        items = part.items() if isinstance(part, Mapping) else enumerate(part)
        for name, each in items:
            yield from _places(each, value, f'{key}.{name}')


def _begins(part: Any, value: Any) -> bool:
    return isinstance(part, str) and isinstance(value, str) and part.startswith(value)


def _some(places: list[str]) -> str:
    return ', '.join(places[:4]) + (', ...' if len(places) > 4 else '')
