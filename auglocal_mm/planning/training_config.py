"""The config that trains a plan."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from pprint import pformat
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.plan import AUGLOCAL, Plan, PlannedModule

PLANNED = ('type', 'depth', 'pyramid', 'checkpointed')
"""Keys of ``AugLocalHead`` that a plan sets."""

STATES = {'SGD': 1, 'Adam': 2, 'AdamW': 2}
"""Optimizers, and the states that they keep of each parameter."""


def optimizer_states(config: Config) -> int:
    """Number of states per parameter of the optimizer of ``config``.

    Raises:
        InputError: The optimizer is unknown.
    """
    optimizer = config.optim_wrapper.optimizer
    if optimizer.type not in STATES:
        raise InputError(
            f'optim_wrapper.optimizer.type is {optimizer.type}, whose memory is unknown; choose one of {", ".join(STATES)}'
        )
    return STATES[optimizer.type] if optimizer.type != 'SGD' or optimizer.get('momentum') else 0


def trains_in_autocast(config: Config) -> bool:
    """Whether forward runs in autocast."""
    return config.optim_wrapper.get('type', 'OptimWrapper').endswith('AmpOptimWrapper')


def kept_settings(model: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model's auxiliary heads that a plan does not change, such as ``downsampling``.

    Raises:
        InputError: The heads are those of another local learning method; plans have them with their default settings.
    """
    heads = model.get('auxiliary_heads') or {}
    method = heads.get('type', 'AugLocalHead')
    if method.rsplit('.', 1)[-1] != 'AugLocalHead':
        raise InputError(
            f'model.auxiliary_heads.type is {method}, expected AugLocalHead, whose settings plans keep; take a config from '
            'configs/auglocal or configs/bp, and give other kinds of heads by --heads'
        )
    return {key: value for key, value in heads.items() if key not in PLANNED}


def refuse_turns(config: Config) -> None:
    """Refuses modules that are trained in turn, whose compute differs from iteration to iteration.

    Raises:
        InputError: ``AugLocalHook`` has an ``update_every`` above 1.
    """
    for hook in config.get('custom_hooks', []):
        if hook.get('update_every', 1) != 1 and _named(hook, 'AugLocalHook'):
            raise InputError(
                f'AugLocalHook.update_every is {hook["update_every"]}, but costs are those of iterations that train every local '
                'module; remove it here, and add it to the config that trains'
            )


def given_settings(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a command line, nested as in a config file.

    Args:
        config: The config that includes the changes.
        given: Values by dotted key, such as ``model.backbone.depth``. A number is an index into a list, which is then given in
            full; ``_delete_`` removes the rest of a setting.
    """
    settings: dict[str, Any] = {}
    full = config.to_dict()
    for key, value in given.items():
        *outer, last = takewhile(lambda part: not part.isdigit(), key.split('.'))
        inside, place = full, settings
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
    """The settings that train a classifier as planned.

    Args:
        plan: Any plan.
        names: Names of the local layers.
        base: ``model`` of the config to change.
        keep: The settings that :func:`kept_settings` returns, for heads of AugLocal.
        hooks: ``custom_hooks`` of that config; those that train or freeze heads are dropped if the plan has no heads.

    Returns:
        ``model`` and ``custom_hooks``.
    """
    segments = [segment for module in plan.modules for segment in module.layer_segments]
    model: dict[str, Any] = {'checkpointed': [_segment(names, each) for each in segments]}
    chain = _chain_only(base)
    replaced: dict[str, Any] = {'auxiliary_heads': None, 'partition': chain}
    *local, _ = plan.modules
    if local:
        replaced['auxiliary_heads'] = {**_heads(local), **keep} if plan.kind == AUGLOCAL else {'type': plan.kind}
        replaced['partition'] = {**(chain or {}), 'split_points': [names[module.last] for module in local]}
    for key, value in replaced.items():
        if value is not None and isinstance(base.get(key), Mapping):
            model[key] = {'_delete_': True, **value}
        elif value is not None or key in base:
            model[key] = value
    trainers = [dict(hook) for hook in hooks if _named(hook, 'AugLocalHook')] or [{'type': 'AugLocalHook'}]
    other_hooks = [
        dict(hook) for hook in hooks if not _named(hook, 'AugLocalHook', *([] if local else ['FreezeAuxiliaryHook']))
    ]
    return {'model': model, 'custom_hooks': [*(trainers if local else []), *other_hooks]}


def _heads(local: Sequence[PlannedModule]) -> dict[str, Any]:
    """The settings of ``AugLocalHead`` in the plan."""
    head: dict[str, Any] = {'type': AUGLOCAL, 'depth': [module.depth for module in local]}
    if any(module.head_segments for module in local):
        names = [str(layer) for layer in range(1, max(module.depth for module in local))]
        head['checkpointed'] = [[_segment(names, segment) for segment in module.head_segments] for module in local]
    return head


def to_text(settings: Mapping[str, Any], base: Path, comment: str) -> str:
    """A config file that inherits from ``base``."""
    fitting = _fitting(settings, Config.fromfile(base).to_dict())
    body = '\n'.join(f'{key} = {pformat(value, width=110, sort_dicts=False)}' for key, value in fitting.items())
    return f'# {comment}\n_base_ = {str(base)!r}\n{body}\n'


def _fitting(settings: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """``settings`` without ``_delete_`` where ``base`` has nothing to delete: MMEngine would keep it as a key."""
    fitting: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            inherited, rest = base.get(key), {name: each for name, each in value.items() if name != '_delete_'}
            deletes = len(rest) < len(value)
            below = inherited if isinstance(inherited, Mapping) and not deletes else {}
            value = {**({'_delete_': True} if deletes and key in base else {}), **_fitting(rest, below)}
        fitting[key] = value
    return fitting


def _segment(names: Sequence[str], segment: Segment) -> str | list[str] | dict[str, str]:
    """The segment in the form that :func:`auglocal_mm.local.recompute.resolve_segments` reads."""
    if segment.selective:
        return {'norms': names[segment.first]}
    return names[segment.first] if segment.first == segment.last else [names[segment.first], names[segment.last]]


def _named(hook: Mapping[str, Any], *names: str) -> bool:
    return hook['type'].rsplit('.', 1)[-1] in names


def _chain_only(base: Mapping[str, Any]) -> dict[str, Any] | None:
    chain = (base.get('partition') or {}).get('chain')
    return {'chain': chain} if chain else None
