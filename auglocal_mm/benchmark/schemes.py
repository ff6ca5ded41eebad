"""The training schemes that a benchmark compares, each as a config."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from mmengine.config import Config

from auglocal_mm.benchmark.iteration import StepBuilder, released_step, training_step
from auglocal_mm.benchmark.rivals import compiled_within, saved_on_cpu, updated_in_backward
from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs.network_cost import NetworkCosts, measure_network
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.plan_report import describe
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan
from auglocal_mm.planning.training_config import kept_settings, refuse_turns, to_config
from auglocal_mm.registry import MODELS

BUDGETS = (1.0, 0.5, 0.2)
"""Shares of the activations that a compiled graph of BP may save."""
DEPTHS = range(2, 6)
"""Depths d of the candidate heads of a plan."""


@dataclass(frozen=True)
class Scheme:
    """One training scheme.

    Attributes:
        name: Name in tables.
        config: The config that trains by this scheme; ``None`` if it is impossible.
        build_step: Makes its training step.
        note: A note for the report: the plan, or why there is none.
        compiled: Whether its graph is compiled, so that its tensors and FLOPs cannot be counted.
        predicted: Peak activation memory in bytes for one image, where it is predicted.
    """

    name: str
    config: Config | None
    build_step: StepBuilder = training_step
    note: str = ''
    compiled: bool = False
    predicted: float | None = None


def check_auglocal(config: Config, path: str) -> None:
    """Refuses configs that cannot be compared.

    Raises:
        InputError: The config is not that of an AugLocal classifier, or trains its modules in turn.
    """
    refuse_turns(config)
    heads = config.model.get('auxiliary_heads') or {}
    method = heads.get('type', 'no auxiliary heads')
    if method.rsplit('.', 1)[-1] != 'AugLocalHead':
        raise InputError(
            f'{path} has {method} in model.auxiliary_heads, expected AugLocalHead, which this benchmark compares with '
            'backpropagation; take a config from configs/auglocal'
        )


def training_schemes(
    config: Config, shares: Sequence[float], device: str = 'cpu', compiled: bool = False
) -> list[Scheme]:
    """Backpropagation and its rivals, AugLocal as released and as implemented here, and plans.

    Args:
        config: Config of an AugLocal classifier, with ``model.image_size``.
        shares: Budgets of the plans, relative to the peak activation memory of backpropagation.
        device: ``'cuda'`` adds what helps a GPU alone.
        compiled: Whether to add compiled backpropagation, which takes minutes to build.
    """
    costs = measure_config(config) if shares else None
    plans = [_plans(config, costs, share) for share in shares if costs is not None]
    predicted = backpropagation(costs).activations if costs else None
    plain = _with_model(config, _backpropagation(config.model.to_dict()))
    return [
        Scheme('BP', plain, predicted=predicted),
        *_rivals(plain, device, compiled),
        *_local(config),
        *chain(*plans),
    ]


def _rivals(plain: Config, device: str, compiled: bool) -> list[Scheme]:
    """Backpropagation with less memory."""
    model = plain.model.to_dict()
    rivals = [
        Scheme('BP checkpointed', _with_model(plain, {**model, 'checkpointed': 'all'})),
        Scheme('BP, updated in backward', plain, updated_in_backward),
    ]
    if device == 'cuda':
        rivals.append(Scheme('BP, saved on the CPU', plain, saved_on_cpu))
    budgets = BUDGETS if compiled else ()
    return rivals + [
        Scheme(f'BP compiled, budget {budget:.1f}', plain, partial(compiled_within, budget=budget), compiled=True)
        for budget in budgets
    ]


def _local(config: Config) -> list[Scheme]:
    """AugLocal as released, and as implemented here with and without checkpointing."""
    model = config.model.to_dict()
    heads = model['auxiliary_heads']
    return [
        Scheme('AugLocal as released', _released(config), released_step),
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
    ]


def _plans(config: Config, costs: NetworkCosts, share: float) -> list[Scheme]:
    """The cheapest plan within a share, and that of backpropagation where it is another one."""
    planned = planned_scheme(config, costs, share)
    if planned.config is None or not planned.config.model.get('auxiliary_heads'):
        return [planned]
    return [planned, planned_scheme(config, costs, share, max_modules=1)]


def measure_config(config: Config) -> NetworkCosts:
    """The costs of the layers and of the candidate heads of a config, at its image size."""
    model = config.model.to_dict()
    amp = config.optim_wrapper.get('type', 'OptimWrapper').endswith('AmpOptimWrapper')
    built = MODELS.build(_backpropagation(model))
    return measure_network(built, model['image_size'], DEPTHS, amp, model['auxiliary_heads'])


def planned_scheme(config: Config, costs: NetworkCosts, share: float, max_modules: int | None = None) -> Scheme:
    """The cheapest plan within ``share`` of backpropagation's peak activation memory.

    Args:
        config: Config of an AugLocal classifier.
        costs: As measured by :func:`measure_config`.
        share: Of the activations of backpropagation.
        max_modules: Largest number of local modules; 1 is backpropagation.
    """
    model = config.model.to_dict()
    reference = backpropagation(costs)
    keep = kept_settings(model)
    name = f'{"BP, " if max_modules == 1 else ""}plan {share:.2f}x'
    plan = cheapest_plan(costs, share * reference.activations, max_modules)
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
