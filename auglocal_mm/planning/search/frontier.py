"""Memory against compute: the best plans at many budgets, and the memory of training each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan, cheapest_plans

SHARES = tuple(round(0.025 * step, 3) for step in range(40, 3, -1))
"""Budgets of activations at which the frontier is searched, relative to backpropagation, descending."""
MAX_MODULES = (1, 2, 3, 4, 6, 10)
"""Limits to the number of local modules that are tried besides the number of layers."""


@dataclass(frozen=True)
class Memory:
    """The peak memory of one training, in bytes.

    ``total`` adds the activations and the gradients of the module with the largest sum of both, as if both peaked at the
    same time. A device's workspace and fragmentation are not included.

    Attributes:
        activations: Peak activation memory of a batch.
        weights: Weights of the network and its heads, and autocast's copies of those of the largest module.
        gradients: Gradients of the module with the most parameters; they are freed after its own update.
        optimizer: Optimizer state.
        total: Peak memory of the training.
    """

    activations: float
    weights: int
    gradients: int
    optimizer: int
    total: float


@dataclass(frozen=True)
class Training:
    """The settings besides the plan that determine memory.

    Attributes:
        batch_size: Number of images in a batch.
        states: Optimizer states per parameter: 1 for SGD with momentum, 2 for Adam.
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
    """The Pareto frontier of memory and compute.

    Attributes:
        reference: Backpropagation without checkpointing.
        local: The Pareto-optimal plans, descending in activations.
        checkpointed: Those with a single module: backpropagation with checkpointing.
        candidates: All plans that were found, for every limit to the number of modules.
        least: The plan with the least peak activation memory.
        timed: Whether plans are compared by time instead of FLOPs.
    """

    reference: Plan
    local: Sequence[Plan]
    checkpointed: Sequence[Plan]
    candidates: Sequence[Plan]
    least: Plan
    timed: bool = False


def find_frontier(kinds: Sequence[NetworkCosts], progress: Callable[[float], None] = lambda share: None) -> Frontier:
    """Searches at every budget of ``SHARES``, with every limit to the number of modules.

    Args:
        kinds: Costs of the network and of the candidate heads, for each kind of head; a plan has heads of one kind.
        progress: Called with the fraction of the work that is done.
    """
    reference = backpropagation(kinds[0])
    num_layers = len(kinds[0].layers)
    limits = [limit for limit in sorted({*MAX_MODULES, num_layers}) if limit <= num_layers]
    checkpointed, candidates = [reference], [reference]
    for done, (share, costs) in enumerate(product(SHARES, kinds), start=1):
        plans = cheapest_plans(costs, share * reference.activations, limits)
        candidates += [plan for plan in plans if plan is not None]
        checkpointed += [plan for plan in plans[:1] if plan is not None]
        progress(done / len(SHARES) / len(kinds))
    checkpointed.append(least_plan(kinds[0], reference, max_modules=1))
    least = min((least_plan(costs, reference) for costs in kinds), key=lambda plan: plan.activations)
    candidates += [checkpointed[-1], least]
    return Frontier(reference, best_of(candidates), best_of(checkpointed), candidates, least, kinds[0].timed)


def least_plan(costs: NetworkCosts, reference: Plan, max_modules: int | None = None) -> Plan:
    """The plan with the least peak activation memory, by bisection to 0.1 % of backpropagation's; of at most so many modules."""
    least, low, high = reference, 0.0, 1.0
    while high - low > 0.001:
        middle = (low + high) / 2
        plan = cheapest_plan(costs, middle * reference.activations, max_modules)
        if plan is None:
            low = middle
        else:
            least, high = plan, plan.activations / reference.activations
    return least


def best_of(plans: Sequence[Plan]) -> list[Plan]:
    """The Pareto-optimal plans in activations and compute, without duplicates, descending in activations."""
    best: list[Plan] = []
    for plan in sorted(plans, key=lambda each: (each.activations, each.compute, len(each.modules))):
        if not best or plan.compute < best[-1].compute:
            best.append(plan)
    return best[::-1]


def cheapest_within(frontier: Frontier, budget: float, training: Training) -> Plan | None:
    """The cheapest plan whose training needs at most ``budget`` bytes.

    Among equally cheap plans it is the one that needs most: the others recompute more norms, which costs no FLOPs but time.
    """
    totals = [(plan, memory_of(plan, training).total) for plan in frontier.candidates]
    fitting = [(plan.compute, -total, index) for index, (plan, total) in enumerate(totals) if total <= budget]
    return frontier.candidates[min(fitting)[2]] if fitting else None
