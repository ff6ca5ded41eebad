"""Drops the recomputation of norms that a plan does not need: it costs time, also where it costs no FLOPs."""

from collections.abc import Sequence
from dataclasses import replace

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.modules import peak_of


def keep_norms(costs: NetworkCosts, plan: Plan, budget: float) -> Plan:
    """``plan`` without the recomputation of norms that ``budget`` does not require, dropped largest first.

    A search that counts FLOPs accepts anything that saves memory without FLOPs. The greedy order is a heuristic; the cost never
    grows.

    Args:
        costs: Costs of the network.
        plan: The plan that the search found.
        budget: Bytes for one image.
    """
    return replace(plan, modules=tuple(_keep(costs, module, budget) for module in plan.modules))


def _keep(costs: NetworkCosts, module: PlannedModule, budget: float) -> PlannedModule:
    layers, head = costs.parts(module.first, module.last, module.depth)
    norms = [(layers[each.first - module.first], each) for each in module.layer_segments if each.selective]
    norms += [(head[each.first], each) for each in module.head_segments if each.selective]
    for cost, norm in sorted(norms, key=lambda each: _saved(each[0]), reverse=True):
        layer_segments, head_segments = (_without(each, norm) for each in (module.layer_segments, module.head_segments))
        compute = module.compute - cost.norms
        less = replace(module, layer_segments=layer_segments, head_segments=head_segments, compute=compute)
        most = peak_of(costs, less)
        if most <= budget:
            module = replace(less, activations=most)
    return module


def _saved(layer: LayerCost) -> float:
    return layer.internal - layer.convolved


def _without(segments: Sequence[Segment], segment: Segment) -> tuple[Segment, ...]:
    return tuple(each for each in segments if each is not segment)
