"""A plan as a config that trains it."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.plan import Plan, PlannedModule

PLANNED = ('type', 'depth', 'pyramid', 'checkpointed')
"""Keys of ``AugLocalHead`` that a plan decides."""


def kept_settings(model: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a model's auxiliary heads that a plan leaves as they are, such as ``downsampling``.

    Raises:
        InputError: The heads are of another rule, whose costs no plan knows.
    """
    heads = model.get('auxiliary_heads') or {}
    rule = heads.get('type', 'AugLocalHead')
    if rule.rsplit('.', 1)[-1] != 'AugLocalHead':
        raise InputError(
            f'model.auxiliary_heads.type is {rule}, and plans are made of AugLocalHeads alone; take a config from '
            'configs/auglocal or configs/bp'
        )
    return {key: value for key, value in heads.items() if key not in PLANNED}


def given_settings(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a command line changed in a config, as a config file says it.

    Args:
        config: With the changes in it.
        given: Their dotted keys, as in ``model.backbone.depth``; a number stands for a place in a list, which is given whole,
            and ``_delete_`` for the rest of a setting, which goes.
    """
    settings: dict[str, Any] = {}
    everything = config.to_dict()
    for key, value in given.items():
        *outer, last = takewhile(lambda part: not part.isdigit(), key.split('.'))
        inside, place = everything, settings
        for part in outer:
            inside, place = inside[part], place.setdefault(part, {})
        place[last] = value if last == '_delete_' else inside[last]
    return settings


def to_config(
    plan: Plan,
    names: Sequence[str],
    base: Mapping[str, Any],
    keep: Mapping[str, Any],
    hooks: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The settings that make a classifier train as planned.

    Args:
        plan: Any plan.
        names: Of the local layers.
        base: ``model`` of the config that it changes.
        keep: As :func:`kept_settings` gives them.
        hooks: ``custom_hooks`` of that config; those that train or freeze heads go where there are none.

    Returns:
        ``model`` and ``custom_hooks``.
    """
    segments = [segment for module in plan.modules for segment in module.layer_segments]
    model: dict[str, Any] = {'checkpointed': [_segment(names, each) for each in segments]}
    chain = _chain_only(base)
    replaced: dict[str, Any] = {'auxiliary_heads': None, 'partition': chain}
    *local, _ = plan.modules
    if local:
        replaced['auxiliary_heads'] = {**_heads(local), **keep}
        replaced['partition'] = {**(chain or {}), 'cut_points': [names[module.last] for module in local]}
    for key, value in replaced.items():
        if value is not None and isinstance(base.get(key), Mapping):
            model[key] = {'_delete_': True, **value}
        elif value is not None or key in base:
            model[key] = value
    others = [
        dict(hook) for hook in hooks if not _named(hook, 'AugLocalHook', *([] if local else ['FreezeAuxiliaryHook']))
    ]
    return {'model': model, 'custom_hooks': [*([{'type': 'AugLocalHook'}] if local else []), *others]}


def _heads(local: Sequence[PlannedModule]) -> dict[str, Any]:
    """The keys of ``AugLocalHead`` that the plan decides."""
    head: dict[str, Any] = {'type': 'AugLocalHead', 'depth': [module.depth for module in local]}
    if any(module.head_segments for module in local):
        numbers = [str(number) for number in range(1, max(module.depth for module in local))]
        head['checkpointed'] = [[_segment(numbers, segment) for segment in module.head_segments] for module in local]
    return head


def to_text(settings: Mapping[str, Any], base: Path, comment: str) -> str:
    """A config file that inherits from ``base``."""
    body = '\n'.join(f'{key} = {pformat(value, width=110, sort_dicts=False)}' for key, value in settings.items())
    return f'# {comment}\n_base_ = {str(base)!r}\n{body}\n'


def _segment(names: Sequence[str], segment: Segment) -> str | list[str] | dict[str, str]:
    """As :func:`auglocal_mm.local.recompute.resolve_segments` reads it."""
    if segment.selective:
        return {'norms': names[segment.first]}
    return names[segment.first] if segment.first == segment.last else [names[segment.first], names[segment.last]]


def _named(hook: Mapping[str, Any], *names: str) -> bool:
    return hook['type'].rsplit('.', 1)[-1] in names


def _chain_only(base: Mapping[str, Any]) -> dict[str, Any] | None:
    chain = (base.get('partition') or {}).get('chain')
    return {'chain': chain} if chain else None
