"""Misspelt keys and types of a config, which a registry finds while it builds, as sentences."""

import difflib
import inspect
import re
from collections.abc import Collection
from typing import Any

from mmengine.registry import Registry, build_from_cfg


def build_error_message(error: Exception) -> str | None:
    """What the config got wrong, or ``None`` for an error from elsewhere, which is a defect and keeps its traceback.

    Args:
        error: A ``KeyError`` or ``TypeError`` that has been raised.
    """
    found, innermost = _build(error)
    if found is None:
        return None
    if isinstance(error, KeyError):
        return _wrong_type(found) if innermost else None
    if 'obj_cls' not in found:
        return str(error) if innermost else None
    return _wrong_keys(found['obj_cls'], found['args'], str(error), innermost)


def _build(error: Exception) -> tuple[dict[str, Any] | None, bool]:
    """The variables of the last build that the error came through, and whether it came from there itself."""
    found, innermost, trace = None, False, error.__traceback__
    while trace is not None:
        innermost = trace.tb_frame.f_code is build_from_cfg.__code__
        found = trace.tb_frame.f_locals if innermost else found
        trace = trace.tb_next
    return found, innermost


def _wrong_type(found: dict[str, Any]) -> str:
    if 'obj_type' not in found:
        return f"a part of the config has no key 'type': {found['cfg']}; name the class to build"
    registry: Registry = found['registry']
    name, known = found['obj_type'], {*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())}
    return f'type={name!r} of the config is no {registry.name} that is known; ' + (
        _similar(name, known) or 'custom_imports loads classes of your own'
    )


def _wrong_keys(cls: Any, given: dict[str, Any], text: str, innermost: bool) -> str | None:
    """Keys that the class does not take, be it through ``**kwargs``, or that it lacks."""
    parameters = _parameters(cls)
    refused = re.search(r"unexpected keyword argument '(\w+)'", text)
    if refused and refused[1] in given and refused[1] not in inspect.signature(cls).parameters:
        advice = _similar(refused[1], parameters) or f'expected some of {", ".join(parameters)}'
        return f'{cls.__name__} has no key {refused[1]!r}; {advice}'
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


def _similar(name: str, known: Collection[str]) -> str:
    similar = difflib.get_close_matches(name, known, n=3)
    return f'did you mean {" or ".join(similar)}?' if similar else ''
