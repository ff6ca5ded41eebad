"""The cheapest plan within a budget of activations: cut points, depths of heads, and what is computed twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from auglocal_mm.planning.layer_cost import LayerCost
from auglocal_mm.planning.network_cost import NetworkCosts
from auglocal_mm.planning.segments import State, extend, runs, start


@dataclass(frozen=True)
class PlannedModule:
    """One local module of a plan.

    Attributes:
        first: Its first local layer, counted from 0.
        last: Its last local layer.
        depth: d of its head; 0 for the last module, which has the primary classifier.
        layer_runs: Runs of its local layers that are computed twice, as first and last layer of the network.
        head_runs: Runs of its head's layers that are, counted from 0.
        compute: FLOPs of forward and backward, for one image.
        activations: Bytes that it holds at most, for one image.
        parameters: Of its layers and its head.
        head_parameters: Of its head.
    """

    first: int
    last: int
    depth: int
    layer_runs: tuple[tuple[int, int], ...]
    head_runs: tuple[tuple[int, int], ...]
    compute: int
    activations: float
    parameters: int
    head_parameters: int


_Rest: TypeAlias = tuple[int, tuple[PlannedModule, ...]] | None
"""The cheapest modules from some layer on, and what they compute."""


@dataclass(frozen=True)
class Plan:
    """How to train one network; a single module is backpropagation."""

    modules: tuple[PlannedModule, ...]

    @property
    def compute(self) -> int:
        """FLOPs of one training step, for one image."""
        return sum(module.compute for module in self.modules)

    @property
    def activations(self) -> float:
        """Bytes held at most, for one image."""
        return max(module.activations for module in self.modules)

    @property
    def head_parameters(self) -> int:
        """Parameters of all auxiliary networks."""
        return sum(module.head_parameters for module in self.modules[:-1])


def cheapest_plans(costs: NetworkCosts, budget: float, most_modules: Sequence[int]) -> list[Plan | None]:
    """For each limit the plan of least compute that never holds more than ``budget`` bytes of activations for one image.

    Exact within the cost model: dynamic programming over the first layer of each module, inside it over the runs.

    Args:
        costs: Of the network and of the heads to choose from.
        budget: Bytes for one image.
        most_modules: Limits to the number of local modules, ascending; 1 is backpropagation.

    Returns:
        ``None`` where no plan holds so little.
    """
    total = len(costs.layers)
    only_whole = list(most_modules) == [1]
    options = {first: _modules_from(costs, first, budget, only_whole) for first in range(1 if only_whole else total)}
    best: list[_Rest] = [None] * total + [(0, ())]
    plans: list[Plan | None] = []
    for modules in range(1, min(max(most_modules), total) + 1):
        best = [_cheapest(options.get(first, []), best) for first in range(total)] + [(0, ())]
        if modules in most_modules:
            plans.append(Plan(best[0][1]) if best[0] else None)
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


def _modules_from(costs: NetworkCosts, first: int, budget: float, only_whole: bool) -> list[PlannedModule]:
    """For each last layer the cheapest module that begins with ``first``."""
    total = len(costs.layers)
    held = costs.layers[first - 1].output if first else costs.image
    options = []
    # What a run may hold depends on the module's output, which has few sizes: one walk for each.
    for output in {costs.layers[-1].output} if only_whole else {layer.output for layer in costs.layers[first:]}:
        for offset, frontier in enumerate(extend([start(held)], costs.layers[first:], budget, output)):
            last = first + offset
            if not frontier:
                break  # what comes behind holds even more
            if costs.layers[last].output != output or (only_whole and last + 1 < total):
                continue
            heads = {0: [costs.classifier]} if last + 1 == total else _heads_behind(costs, last)
            closed = (_close(costs, first, last, frontier, depth, head, budget) for depth, head in heads.items())
            found = [module for module in closed if module is not None]
            if found:
                options.append(min(found, key=lambda module: (module.compute, module.head_parameters)))
    return options


def _heads_behind(costs: NetworkCosts, last: int) -> dict[int, list[LayerCost]]:
    return {depth: head for (number, depth), head in costs.heads.items() if number == last + 1}


def _close(
    costs: NetworkCosts, first: int, last: int, frontier: list[State], depth: int, head: list[LayerCost], budget: float
) -> PlannedModule | None:
    """The cheapest module of these layers and this head, or ``None`` where none fits."""
    *hidden, classifier = head
    boundary = {id(state) for state in frontier}
    *_, states = [frontier, *extend(frontier, hidden, budget)]
    states = [state for state in states if state.held + classifier.peak <= budget]
    if not states:
        return None
    state = states[-1]  # the least extra compute
    border = state
    while id(border) not in boundary:
        assert border.before is not None
        border = border.before
    layers = list(costs.layers[first : last + 1])
    own = runs(border)
    head_runs = runs(state)[len(own) :]
    compute = state.extra + layers[0].backward_without_input + sum(layer.backward for layer in layers[1:] + head)
    held = costs.layers[first - 1].output if first else costs.image
    return PlannedModule(
        first,
        last,
        depth,
        tuple((first + a, first + b) for a, b in own),
        tuple(head_runs),
        compute + sum(layer.forward for layer in layers + head),
        peak(held, layers, own, head, head_runs),
        sum(layer.parameters for layer in layers + head),
        sum(layer.parameters for layer in head),
    )


def peak(
    held: float,
    layers: Sequence[LayerCost],
    layer_runs: Sequence[tuple[int, int]],
    head: Sequence[LayerCost],
    head_runs: Sequence[tuple[int, int]],
) -> float:
    """The most bytes that a module holds, for one image.

    Args:
        held: Bytes of its input.
        layers: Its layers.
        layer_runs: Which of them are computed twice.
        head: The layers of its head, the classifier last.
        head_runs: Which of them are computed twice.
    """
    most, held = _walk(held, layers, layer_runs, layers[-1].output)
    behind, held = _walk(held, head[:-1], head_runs, 0.0)
    return max(most, behind, held + head[-1].peak)


def _walk(
    held: float, layers: Sequence[LayerCost], again: Sequence[tuple[int, int]], kept_output: float
) -> tuple[float, float]:
    """The most bytes at any moment of ``layers``, in forward or when a run is computed again, and those behind them."""
    most, position = held, 0
    ends = dict(again)
    while position < len(layers):
        end = ends.get(position, position)
        inside = held
        for layer in layers[position : end + 1]:
            most = max(most, inside + layer.peak + (kept_output if position in ends else 0.0))
            inside += layer.internal + layer.output
        held = held + layers[end].output if position in ends else inside
        position = end + 1
    return most, held


def backpropagation(costs: NetworkCosts) -> Plan:
    """The plan that everything is compared with: one module, nothing computed twice."""
    plan = cheapest_plan(costs, float('inf'), max_modules=1)
    assert plan is not None
    return plan
