"""Finds the cheapest plan within a budget of activations: split points, depths of heads, and what to recompute."""

from collections.abc import Sequence
from typing import TypeAlias

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.modules import modules_from
from auglocal_mm.planning.search.spare_norms import keep_norms

_Rest: TypeAlias = tuple[int, tuple[PlannedModule, ...]] | None
"""The cost of the cheapest modules from some layer on, and these modules."""
_NOTHING: _Rest = (0, ())


def cheapest_plans(costs: NetworkCosts, budget: float, max_modules: Sequence[int]) -> list[Plan | None]:
    """For each limit, the plan of least compute whose peak activation memory for one image is at most ``budget`` bytes.

    Exact within the cost model: dynamic programming over the first layer of each module and, within a module, over its
    segments. Norms are then recomputed only where the budget requires it.

    Args:
        costs: Costs of the network and of the candidate heads.
        budget: Bytes for one image.
        max_modules: Limits to the number of local modules; 1 is backpropagation.

    Returns:
        One plan for each limit; ``None`` if none fits the budget.
    """
    total = len(costs.layers)
    only_whole = list(max_modules) == [1]
    options = {first: modules_from(costs, first, budget, only_whole) for first in range(1 if only_whole else total)}
    best: list[_Rest] = [*([None] * total), _NOTHING]
    limits = [min(limit, total) for limit in max_modules]
    plans: dict[int, Plan | None] = {}
    for num_modules in range(1, max(limits) + 1):
        best = [*(_cheapest(options.get(first, []), best) for first in range(total)), _NOTHING]
        if num_modules in limits:
            plans[num_modules] = keep_norms(costs, Plan(best[0][1], costs.kind), budget) if best[0] else None
    return [plans[limit] for limit in limits]


def cheapest_plan(costs: NetworkCosts, budget: float, max_modules: int | None = None) -> Plan | None:
    """The plan of :func:`cheapest_plans` for one limit, or without a limit."""
    return cheapest_plans(costs, budget, [max_modules or len(costs.layers)])[0]


def _cheapest(options: Sequence[PlannedModule], best: Sequence[_Rest]) -> _Rest:
    found = None
    for module in options:
        rest = best[module.last + 1]
        if rest is not None and (found is None or module.compute + rest[0] < found[0]):
            found = (module.compute + rest[0], (module, *rest[1]))
    return found


def backpropagation(costs: NetworkCosts) -> Plan:
    """The reference plan: one module, nothing recomputed."""
    plan = cheapest_plan(costs, float('inf'), max_modules=1)
    assert plan is not None
    return plan
