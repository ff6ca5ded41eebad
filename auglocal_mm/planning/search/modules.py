"""The cheapest ways to train one local module within a budget: its head, and what is recomputed."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import PlannedModule
from auglocal_mm.planning.search.heads import head_ways
from auglocal_mm.planning.search.segments import Way, extend, segments_of, start


def modules_from(costs: NetworkCosts, first: int, budget: float, only_whole: bool) -> list[PlannedModule]:
    """For each last layer the cheapest module that begins with ``first``.

    Args:
        costs: Of the network and of the heads to choose from.
        first: The first local layer, counted from 0.
        budget: Bytes for one image.
        only_whole: Whether the module must reach to the end.
    """
    total = len(costs.layers)
    options = []
    lasts: dict[float, list[int]] = {}
    for last in range(total - 1 if only_whole else first, total):
        lasts.setdefault(costs.layers[last].output, []).append(last)
    # What a segment may hold depends on the module's output, which has few sizes: one walk for each.
    for output, ends in lasts.items():
        walk = extend([start(costs.held_before(first))], costs.layers[first : ends[-1] + 1], budget, output)
        for last, frontier in enumerate(walk, start=first):
            if not frontier:
                break  # what comes behind holds even more
            if last in ends:
                depths = [0] if last + 1 == total else [depth for number, depth in costs.heads if number == last + 1]
                closed = (_close(costs, first, last, frontier, depth, budget) for depth in depths)
                found = [module for module in closed if module is not None]
                options += [min(found, key=lambda each: (each.compute, each.head_parameters))] if found else []
    return options


def _close(
    costs: NetworkCosts, first: int, last: int, frontier: list[Way], depth: int, budget: float
) -> PlannedModule | None:
    """The cheapest module of these layers and a head of this depth, or ``None`` where none fits."""
    layers, head = costs.parts(first, last, depth)
    ways = head_ways(tuple(head))
    peaks = [way.peak for way in ways]
    # Of the ways that fit behind a state, the last one computes least.
    fitting = [(state, ways[bisect_right(peaks, budget - state.held) - 1]) for state in frontier]
    fitting = [(state, way) for state, way in fitting if state.held + way.peak <= budget]
    if not fitting:
        return None
    state, way = min(fitting, key=lambda pair: pair[0].extra + pair[1].extra)
    compute = layers[0].backward_without_input + sum(layer.backward for layer in layers[1:] + head)
    module = PlannedModule(
        first,
        last,
        depth,
        tuple(each.shifted(first) for each in segments_of(state)),
        way.segments,
        compute + state.extra + way.extra + sum(layer.forward for layer in layers + head),
        0.0,
        sum(layer.parameters for layer in layers + head),
        sum(layer.parameters for layer in head),
    )
    return replace(module, activations=peak_of(costs, module))


def peak_of(costs: NetworkCosts, module: PlannedModule) -> float:
    """The most bytes that ``module`` holds, for one image."""
    layers, head = costs.parts(module.first, module.last, module.depth)
    own = [each.shifted(-module.first) for each in module.layer_segments]
    return peak(costs.held_before(module.first), layers, own, head, module.head_segments)


def peak(
    held: float,
    layers: Sequence[LayerCost],
    layer_segments: Sequence[Segment],
    head: Sequence[LayerCost],
    head_segments: Sequence[Segment],
) -> float:
    """The most bytes that a module holds, for one image.

    Args:
        held: Bytes of its input.
        layers: Its layers.
        layer_segments: Which of them are recomputed, counted from the first of ``layers``.
        head: The layers of its head, the classifier last.
        head_segments: Which of them are recomputed.
    """
    most, held = _walk(held, layers, layer_segments, layers[-1].output)
    behind, held = _walk(held, head[:-1], head_segments, 0.0)
    return max(most, behind, held + head[-1].peak)


def _walk(
    held: float, layers: Sequence[LayerCost], again: Sequence[Segment], kept_output: float
) -> tuple[float, float]:
    """The most bytes at any moment of ``layers``, in forward or when a segment is recomputed, and those behind them."""
    most, position = held, 0
    segments_by_start = {segment.first: segment for segment in again}
    while position < len(layers):
        segment = segments_by_start.get(position)
        inside = held
        for layer in layers[position : segment.last + 1 if segment else position + 1]:
            most = max(most, inside + layer.peak + (kept_output if segment else 0.0))
            inside += layer.internal + layer.output
        position = segment.last + 1 if segment else position + 1
        behind = layers[position - 1]
        held = held + behind.output + (behind.convolved if segment.selective else 0.0) if segment else inside
    return most, held
