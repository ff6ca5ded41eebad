"""Memory against compute: the best plans at many budgets, with all that a training holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan, cheapest_plans

SHARES = tuple(round(0.025 * step, 3) for step in range(40, 3, -1))
"""Budgets of activations that the frontier looks at, relative to backpropagation's, falling."""
MOST_MODULES = (1, 2, 3, 4, 6, 10)


@dataclass(frozen=True)
class Memory:
    """What one training holds, in bytes.

    ``total`` takes the activations and the gradients of the module that holds most of both, as if both were there at once; a
    device's workspace and fragmentation are not known here.

    Attributes:
        activations: Of a batch, at most at one time.
        weights: Of the network and its heads, and autocast's copies of those of the largest module.
        gradients: Of the module with the most parameters; they are freed after its own update.
        optimizer: State of the optimizer.
        total: At most.
    """

    activations: float
    weights: int
    gradients: int
    optimizer: int
    total: float


@dataclass(frozen=True)
class Training:
    """What memory depends on besides the plan.

    Attributes:
        batch_size: Images of a batch.
        states: Numbers that the optimizer keeps for each parameter: 1 for SGD with momentum, 2 for Adam.
        amp: Whether forward runs in bfloat16 autocast, which copies the weights of a local module.
    """

    batch_size: int
    states: int
    amp: bool = False


def memory_of(plan: Plan, training: Training) -> Memory:
    """The memory of training ``plan``."""
    parameters = sum(module.parameters for module in plan.modules)
    largest = max(module.parameters for module in plan.modules)
    copies = 2 if training.amp else 0
    together = max(
        module.activations * training.batch_size + (4 + copies) * module.parameters for module in plan.modules
    )
    return Memory(
        plan.activations * training.batch_size,
        4 * parameters + copies * largest,
        4 * largest,
        4 * training.states * parameters,
        4 * (1 + training.states) * parameters + together,
    )


@dataclass(frozen=True)
class Frontier:
    """Plans that no other found beats in memory and compute.

    Attributes:
        reference: Backpropagation without checkpointing.
        local: The best of all plans, falling in activations.
        checkpointed: The best with a single module: backpropagation with checkpointing.
        candidates: All plans that were found, with few modules and with many.
        least: The plan that holds least.
    """

    reference: Plan
    local: Sequence[Plan]
    checkpointed: Sequence[Plan]
    candidates: Sequence[Plan]
    least: Plan


def find_frontier(costs: NetworkCosts, progress: Callable[[float], None] = lambda share: None) -> Frontier:
    """Searches at every budget of ``SHARES``, with every limit to the number of modules.

    Args:
        costs: Of the network and the heads to choose from.
        progress: Called with the share of the work that is done.
    """
    reference = backpropagation(costs)
    limits = sorted({*MOST_MODULES, len(costs.layers)})
    limits = [limit for limit in limits if limit <= len(costs.layers)]
    checkpointed, candidates = [reference], [reference]
    for number, share in enumerate(SHARES):
        plans = cheapest_plans(costs, share * reference.activations, limits)
        candidates += [plan for plan in plans if plan is not None]
        checkpointed += [plan for plan in plans[:1] if plan is not None]
        progress((number + 1) / len(SHARES))
    least = least_plan(costs, reference)
    candidates.append(least)
    return Frontier(reference, best_of(candidates), best_of(checkpointed), candidates, least)


def least_plan(costs: NetworkCosts, reference: Plan) -> Plan:
    """The plan that holds least, to a thousandth of backpropagation's activations, found by halving the interval."""
    least, low, high = reference, 0.0, 1.0
    while high - low > 0.001:
        middle = (low + high) / 2
        plan = cheapest_plan(costs, middle * reference.activations)
        if plan is None:
            low = middle
        else:
            least, high = plan, plan.activations / reference.activations
    return least


def best_of(plans: Sequence[Plan]) -> list[Plan]:
    """Those that no other beats in both activations and compute, falling in activations, each once."""
    best: list[Plan] = []
    for plan in sorted(plans, key=lambda each: (each.activations, each.compute, len(each.modules))):
        if not best or plan.compute < best[-1].compute:
            best.append(plan)
    return best[::-1]


def cheapest_within(frontier: Frontier, budget: float, training: Training) -> Plan | None:
    """Of all plans found the cheapest whose training holds at most ``budget`` bytes.

    Of equally cheap ones the one that holds most: what the others save is norms, which cost no FLOPs but time.
    """
    totals = [(plan, memory_of(plan, training).total) for plan in frontier.candidates]
    fitting = [(plan.compute, -total, number) for number, (plan, total) in enumerate(totals) if total <= budget]
    return frontier.candidates[min(fitting)[2]] if fitting else None
