"""What a registry finds wrong in a config while it builds (keys, types, values, damaged annotations), as sentences."""

import difflib
import inspect
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from mmengine.registry import Registry, build_from_cfg

from auglocal_mm.settings.value_kinds import unfit_arguments


def build_error_message(error: Exception) -> str | None:
    """What the config got wrong, or ``None`` for an error from elsewhere, which is a defect and keeps its traceback.

    Args:
        error: That has been raised.
    """
    found, behind = _build(error)
    if found is None:
        return None
    if isinstance(error, json.JSONDecodeError):
        return _damaged(found.get('args', {}), error)
    unfit = unfit_arguments(_parameters(found['obj_cls']), found['args']) if found.get('obj_cls') else []
    if unfit:
        return f'{found["obj_cls"].__name__} has {unfit[0]}'
    if behind:
        return _wrong_keys(found, str(error), False) if isinstance(error, TypeError) else _refused(found, behind, error)
    if isinstance(error, KeyError):
        return _wrong_type(found)
    return _wrong_keys(found, str(error), True) if 'obj_cls' in found else str(error)


def _build(error: Exception) -> tuple[dict[str, Any] | None, list[str]]:
    """The variables of the last build that the error came through, and the functions that it came from behind it."""
    found, trace = None, error.__traceback__
    behind: list[str] = []
    while trace is not None:
        if trace.tb_frame.f_code is build_from_cfg.__code__:
            found, behind = trace.tb_frame.f_locals, []
        else:
            behind.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return found, behind


def _refused(found: dict[str, Any], behind: list[str], error: Exception) -> str | None:
    """What a constructor itself says of a value; a mere key or number is a defect's."""
    text = str(error.args[0]) if error.args else ''
    if 'obj_cls' not in found or set(behind) != {'__init__'} or ' ' not in text:
        return None
    return f'{found["obj_cls"].__name__} refuses what the config has for it: {text}'


def _damaged(given: dict[str, Any], error: Exception) -> str | None:
    if 'ann_file' not in given:
        return None
    path = Path(given.get('data_root') or '', given['ann_file'])
    return f'the annotations {path} are no JSON ({error}); the file is damaged or half downloaded: fetch it again'


def _wrong_type(found: dict[str, Any]) -> str:
    if 'obj_type' not in found:
        return f"a part of the config has no key 'type': {found['cfg']}; name the class to build"
    registry: Registry = found['registry']
    name, known = found['obj_type'], {*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())}
    return f'type={name!r} of the config is no {registry.name} that is known; ' + (
        did_you_mean(name, known) or 'custom_imports loads classes of your own'
    )


def _wrong_keys(found: dict[str, Any], text: str, innermost: bool) -> str | None:
    """Keys that the class does not take, be it through ``**kwargs``, or that it lacks."""
    if 'obj_cls' not in found:
        return None
    cls, given = found['obj_cls'], found['args']
    parameters = _parameters(cls)
    refused = re.search(r"unexpected keyword argument '(\w+)'", text)
    if refused and refused[1] in given and refused[1] not in inspect.signature(cls).parameters:
        advice = did_you_mean(refused[1], parameters) or f'expected some of {", ".join(parameters)}.'
        return (
            f'{cls.__name__} has no key {refused[1]!r}; {advice} A part that replaces an inherited one needs _delete_=True, or '
            'keeps its keys'
        )
    lacking = [name for name, each in parameters.items() if each.default is each.empty and name not in given]
    if innermost and not refused and lacking:
        return f'{cls.__name__} lacks {", ".join(lacking)}; its keys are {", ".join(parameters)}'
    return None


def _parameters(cls: Any) -> dict[str, inspect.Parameter]:
    """Of the constructor, and where it hands on ``**kwargs``, of those of the base classes."""
    found: dict[str, inspect.Parameter] = {}
    for each in inspect.getmro(cls) if inspect.isclass(cls) else (cls,):
        own = inspect.signature(each).parameters.values() if each is not object else ()
        found = {**{p.name: p for p in own if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}, **found}
        if not any(p.kind is p.VAR_KEYWORD for p in own):
            break
    return found


def did_you_mean(name: str, known: Collection[str]) -> str:
    """A question with the known names that ``name`` looks like; empty where there are none."""
    similar = difflib.get_close_matches(name, known, n=3)
    return f'did you mean {" or ".join(similar)}?' if similar else ''
