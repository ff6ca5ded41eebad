"""A plan as a config that trains it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pprint import pformat
from typing import Any

from auglocal_mm.checkpointing import Run
from auglocal_mm.planning.plan import Plan


def to_config(plan: Plan, names: Sequence[str], base: Mapping[str, Any], keep: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that make a classifier train as planned.

    Args:
        plan: Any plan.
        names: Of the local layers.
        base: ``model`` of the config that it changes.
        keep: Keys of ``AugLocalHead`` that stay as they are, such as ``downsampling``.

    Returns:
        ``model`` and ``custom_hooks``.
    """
    model: dict[str, Any] = {'checkpointed': [_run(names, run) for module in plan.modules for run in module.layer_runs]}
    if len(plan.modules) == 1:
        removed = {'auxiliary_heads': None, 'partition': _chain_only(base)}
        return {'model': {**model, **{key: value for key, value in removed.items() if key in base}}, 'custom_hooks': []}
    *local, _ = plan.modules
    head: dict[str, Any] = {'type': 'AugLocalHead', 'depth': [module.depth for module in local], **keep}
    if any(module.head_runs for module in local):
        numbers = [str(number) for number in range(1, max(module.depth for module in local))]
        head['checkpointed'] = [[_run(numbers, run) for run in module.head_runs] for module in local]
    partition = {**(_chain_only(base) or {}), 'cut_points': [names[module.last] for module in local]}
    replaced = {'auxiliary_heads': head, 'partition': partition}
    for key, value in replaced.items():
        model[key] = {'_delete_': True, **value} if isinstance(base.get(key), Mapping) else value
    return {'model': model, 'custom_hooks': [{'type': 'AugLocalHook'}]}


def to_text(settings: Mapping[str, Any], base: Path, comment: str) -> str:
    """A config file that inherits from ``base``."""
    body = '\n'.join(f'{key} = {pformat(value, width=110, sort_dicts=False)}' for key, value in settings.items())
    return f'# {comment}\n_base_ = {str(base)!r}\n{body}\n'


def _run(names: Sequence[str], run: Run) -> str | list[str] | dict[str, str]:
    """As :func:`auglocal_mm.checkpointing.resolve_runs` reads it."""
    if run.only_norms:
        return {'norms': names[run.first]}
    return names[run.first] if run.first == run.last else [names[run.first], names[run.last]]


def _chain_only(base: Mapping[str, Any]) -> dict[str, Any] | None:
    chain = (base.get('partition') or {}).get('chain')
    return {'chain': chain} if chain else None
