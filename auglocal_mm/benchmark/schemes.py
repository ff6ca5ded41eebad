"""The training schemes that a benchmark compares, each as a config."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs.network_cost import NetworkCosts, measure_network
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.plan_report import describe
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan
from auglocal_mm.planning.training_config import kept_settings, to_config
from auglocal_mm.registry import MODELS

DEPTHS = range(2, 6)
"""Depths d of the candidate heads of a plan."""


@dataclass(frozen=True)
class Scheme:
    """One training scheme.

    Attributes:
        name: Name in tables.
        config: The config that trains by this scheme; ``None`` if it is impossible.
        released: Whether the losses of all local modules are summed for one backward pass, as in the paper's code.
        note: A note for the report: the plan, or why there is none.
        predicted: Peak activation memory in bytes for one image, where it is predicted.
    """

    name: str
    config: Config | None
    released: bool = False
    note: str = ''
    predicted: float | None = None


def check_auglocal(config: Config, path: str) -> None:
    """Refuses configs that cannot be compared.

    Raises:
        InputError: The config is not that of an AugLocal classifier.
    """
    heads = config.model.get('auxiliary_heads') or {}
    method = heads.get('type', 'no auxiliary heads')
    if method.rsplit('.', 1)[-1] != 'AugLocalHead':
        raise InputError(
            f'{path} has {method} in model.auxiliary_heads, expected AugLocalHead, which this benchmark compares with '
            'backpropagation; take a config from configs/auglocal'
        )


def training_schemes(config: Config, shares: Sequence[float]) -> list[Scheme]:
    """Backpropagation and AugLocal, each with and without checkpointing, AugLocal as released, and plans.

    Args:
        config: Config of an AugLocal classifier, with ``model.image_size``.
        shares: Budgets of the plans, relative to the peak activation memory of backpropagation.
    """
    model = config.model.to_dict()
    plain = _backpropagation(model)
    heads = model['auxiliary_heads']
    costs = measure_config(config) if shares else None
    predicted = backpropagation(costs).activations if costs else None
    return [
        Scheme('BP', _with_model(config, plain), predicted=predicted),
        Scheme('BP checkpointed', _with_model(config, {**plain, 'checkpointed': 'all'})),
        Scheme('AugLocal as released', _released(config), released=True),
        Scheme('AugLocal', _with_model(config, model)),
        *(
            Scheme(
                name,
                _with_model(
                    config, {**model, 'checkpointed': what, 'auxiliary_heads': {**heads, 'checkpointed': what}}
                ),
            )
            for name, what in (('AugLocal, norms recomputed', 'norms'), ('AugLocal checkpointed', 'all'))
        ),
        *(planned_scheme(config, costs, share) for share in shares if costs is not None),
    ]


def measure_config(config: Config) -> NetworkCosts:
    """The costs of the layers and of the candidate heads of a config, at its image size."""
    model = config.model.to_dict()
    amp = config.optim_wrapper.get('type', 'OptimWrapper').endswith('AmpOptimWrapper')
    built = MODELS.build(_backpropagation(model))
    return measure_network(built, model['image_size'], DEPTHS, amp, model['auxiliary_heads'])


def planned_scheme(config: Config, costs: NetworkCosts, share: float) -> Scheme:
    """The cheapest plan within ``share`` of backpropagation's peak activation memory."""
    model = config.model.to_dict()
    reference = backpropagation(costs)
    keep = kept_settings(model)
    name, plan = f'plan {share:.2f}x', cheapest_plan(costs, share * reference.activations)
    if plan is None:
        return Scheme(name, None, note=f'no plan needs as little as {share:.2f}x of the activations of BP')
    # Without `base`: the settings replace entire keys here.
    settings = to_config(plan, costs.names, {'partition': model.get('partition')}, keep)['model']
    planned = {**_backpropagation(model), **{key: _undeleted(value) for key, value in settings.items()}}
    return Scheme(name, _with_model(config, planned), note=_note(plan, reference, costs), predicted=plan.activations)


def _released(config: Config) -> Config:
    """Trains like the paper's code: float32, no checkpointing, the default memory layout, one unfused optimizer."""
    model = config.model.to_dict()
    heads = {key: value for key, value in model['auxiliary_heads'].items() if key != 'checkpointed'}
    changed = _with_model(config, {**model, 'checkpointed': (), 'auxiliary_heads': heads, 'channels_last': False})
    wrapper = changed.optim_wrapper.to_dict()
    optimizer = {key: value for key, value in wrapper['optimizer'].items() if key != 'fused'}
    plain = {key: value for key, value in wrapper.items() if key not in ('dtype', 'loss_scale', 'constructor')}
    changed.optim_wrapper = {**plain, 'type': 'OptimWrapper', 'optimizer': optimizer}
    return changed


def _backpropagation(model: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in model.items() if key not in ('auxiliary_heads', 'partition')}
    chain = (model.get('partition') or {}).get('chain')
    return {**plain, **({'partition': {'chain': chain}} if chain else {}), 'checkpointed': ()}


def _with_model(config: Config, model: Mapping[str, Any]) -> Config:
    changed = copy.deepcopy(config)
    changed.model = copy.deepcopy(dict(model))
    return changed


def _undeleted(value: Any) -> Any:
    return {key: item for key, item in value.items() if key != '_delete_'} if isinstance(value, Mapping) else value


def _note(plan: Plan, reference: Plan, costs: NetworkCosts) -> str:
    activations, compute = plan.activations / reference.activations, plan.compute / reference.compute
    return f'{describe(plan, costs.names)}; planned: {activations:.3f}x of the activations of BP, {compute:.3f}x of its FLOPs'
