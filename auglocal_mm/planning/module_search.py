"""The cheapest ways to train one local module within a budget: its head, and what is computed twice."""

from collections.abc import Sequence

from auglocal_mm.planning.layer_cost import LayerCost
from auglocal_mm.planning.network_cost import NetworkCosts
from auglocal_mm.planning.plan import PlannedModule
from auglocal_mm.planning.segments import State, extend, runs, start


def modules_from(costs: NetworkCosts, first: int, budget: float, only_whole: bool) -> list[PlannedModule]:
    """For each last layer the cheapest module that begins with ``first``.

    Args:
        costs: Of the network and of the heads to choose from.
        first: The first local layer, counted from 0.
        budget: Bytes for one image.
        only_whole: Whether the module must reach to the end.
    """
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
