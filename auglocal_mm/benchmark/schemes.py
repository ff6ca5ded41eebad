"""The training schemes that a benchmark compares, each as a config."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from mmengine.config import Config

from auglocal_mm.benchmark.iteration import StepBuilder, released_step, training_step
from auglocal_mm.benchmark.prediction import Prediction
from auglocal_mm.benchmark.rivals import compiled_within, saved_on_cpu, updated_in_backward
from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs.candidates import candidate_costs, timed_candidates
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import AUGLOCAL, Plan
from auglocal_mm.planning.plan_report import describe
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan
from auglocal_mm.planning.training_config import (
    kept_settings,
    optimizer_states,
    refuse_turns,
    to_config,
    trains_in_autocast,
)

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
        prediction: What the planner predicts, if it can.
    """

    name: str
    config: Config | None
    build_step: StepBuilder = training_step
    note: str = ''
    compiled: bool = False
    prediction: Prediction | None = None


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
    config: Config,
    shares: Sequence[float],
    device: str = 'cpu',
    compiled: bool = False,
    cost: str = 'flops',
    heads: Sequence[str] = (AUGLOCAL,),
) -> list[Scheme]:
    """Backpropagation and its rivals, AugLocal as released and as implemented here, and plans.

    Args:
        config: Config of an AugLocal classifier, with ``model.image_size``.
        shares: Budgets of the plans, relative to the peak activation memory of backpropagation.
        device: Where times are measured; ``'cuda'`` adds what helps a GPU alone.
        compiled: Whether to add compiled backpropagation, which takes minutes to build.
        cost: What plans have least of, ``'flops'`` or ``'time'``, which is measured.
        heads: Kinds of heads of the plans.
    """
    kinds = measure_config(config, cost, heads, device) if shares or cost == 'time' else []
    plans = [_plans(config, kinds, share) for share in shares]
    plain = _with_model(config, _backpropagation(config.model.to_dict()))
    reference = Scheme('BP', plain)
    if kinds:
        reference = replace(reference, prediction=Prediction(config, kinds[0], backpropagation(kinds[0])))
    return [
        reference,
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


def _plans(config: Config, kinds: Sequence[NetworkCosts], share: float) -> list[Scheme]:
    """The cheapest plan within a share, and that of backpropagation where it is another one."""
    planned = planned_scheme(config, kinds, share)
    if planned.config is None or not planned.config.model.get('auxiliary_heads'):
        return [planned]
    return [planned, planned_scheme(config, kinds[:1], share, max_modules=1)]


def measure_config(
    config: Config, cost: str = 'flops', heads: Sequence[str] = (AUGLOCAL,), device: str = 'cpu'
) -> list[NetworkCosts]:
    """The costs of the layers of a config at its image size, with candidate heads of each kind.

    Args:
        config: Config of an AugLocal classifier.
        cost: ``'flops'``, or ``'time'`` as measured here.
        heads: Kinds of heads.
        device: Where times are measured.
    """
    amp = trains_in_autocast(config)
    kinds = candidate_costs(config, DEPTHS, amp, heads)
    if cost == 'flops':
        return kinds
    batch_size, states = config.train_dataloader.batch_size, optimizer_states(config)
    return timed_candidates(config, kinds, batch_size, states, amp, device)


def planned_scheme(
    config: Config, kinds: Sequence[NetworkCosts], share: float, max_modules: int | None = None
) -> Scheme:
    """The cheapest plan within ``share`` of backpropagation's peak activation memory.

    Args:
        config: Config of an AugLocal classifier.
        kinds: As measured by :func:`measure_config`.
        share: Of the activations of backpropagation.
        max_modules: Largest number of local modules; 1 is backpropagation.
    """
    model = config.model.to_dict()
    reference = backpropagation(kinds[0])
    keep = kept_settings(model)
    name = f'{"BP, " if max_modules == 1 else ""}plan {share:.2f}x'
    plans = [(costs, cheapest_plan(costs, share * reference.activations, max_modules)) for costs in kinds]
    possible = [(costs, plan) for costs, plan in plans if plan is not None]
    if not possible:
        return Scheme(name, None, note=f'no plan needs as little as {share:.2f}x of the activations of BP')
    costs, plan = min(possible, key=lambda each: each[1].compute)
    # Without `base`: the settings replace entire keys here.
    settings = to_config(plan, costs.names, {'partition': model.get('partition')}, keep)['model']
    planned = {**_backpropagation(model), **{key: _undeleted(value) for key, value in settings.items()}}
    note, prediction = _note(plan, reference, costs), Prediction(config, costs, plan)
    return Scheme(name, _with_model(config, planned), note=note, prediction=prediction)


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
    what = 'time' if costs.timed else 'FLOPs'
    return f'{describe(plan, costs.names)}; planned: {activations:.3f}x of the activations of BP, {compute:.3f}x of its {what}'
