"""The cheapest plan within a budget of activations: cut points, depths of heads, and what is recomputed."""

from collections.abc import Sequence
from typing import TypeAlias

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.modules import modules_from
from auglocal_mm.planning.search.spare_norms import keep_norms

_Rest: TypeAlias = tuple[int, tuple[PlannedModule, ...]] | None
"""The cheapest modules from some layer on, and what they compute."""
_NOTHING: _Rest = (0, ())


def cheapest_plans(costs: NetworkCosts, budget: float, most_modules: Sequence[int]) -> list[Plan | None]:
    """For each limit the plan of least compute that never holds more than ``budget`` bytes of activations for one image.

    Exact within the cost model: dynamic programming over the first layer of each module, inside it over the segments. Norms,
    which cost no FLOPs, are then recomputed only where the budget asks for it.

    Args:
        costs: Of the network and of the heads to choose from.
        budget: Bytes for one image.
        most_modules: Limits to the number of local modules, ascending; 1 is backpropagation.

    Returns:
        ``None`` where no plan holds so little.
    """
    total = len(costs.layers)
    only_whole = list(most_modules) == [1]
    options = {first: modules_from(costs, first, budget, only_whole) for first in range(1 if only_whole else total)}
    best: list[_Rest] = [*([None] * total), _NOTHING]
    plans: list[Plan | None] = []
    for modules in range(1, min(max(most_modules), total) + 1):
        best = [*(_cheapest(options.get(first, []), best) for first in range(total)), _NOTHING]
        if modules in most_modules:
            plans.append(keep_norms(costs, Plan(best[0][1]), budget) if best[0] else None)
    return plans + [plans[-1]] * (len(most_modules) - len(plans))


def cheapest_plan(costs: NetworkCosts, budget: float, max_modules: int | None = None) -> Plan | None:
    """As :func:`cheapest_plans`, for one limit or none."""
    return cheapest_plans(costs, budget, [max_modules or len(costs.layers)])[0]


def _cheapest(options: Sequence[PlannedModule], best: Sequence[_Rest]) -> _Rest:
    found = None
    for module in options:
        rest = best[module.last + 1]
        if rest is not None and (found is None or module.compute + rest[0] < found[0]):
            found = (module.compute + rest[0], (module, *rest[1]))
    return found


def backpropagation(costs: NetworkCosts) -> Plan:
    """The plan that everything is compared with: one module, nothing recomputed."""
    plan = cheapest_plan(costs, float('inf'), max_modules=1)
    assert plan is not None
    return plan
