"""Finds the cheapest head and checkpointing schedule of one local module within a budget."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import PlannedModule
from auglocal_mm.planning.search.heads import HeadSchedule, head_schedules
from auglocal_mm.planning.search.segments import Schedule, extend, segments_of, start


def modules_from(costs: NetworkCosts, first: int, budget: float, only_whole: bool) -> list[PlannedModule]:
    """The cheapest module that starts at ``first``, for each possible last layer.

    Args:
        costs: Costs of the network and of the candidate heads.
        first: Index of the first local layer.
        budget: Bytes for one image.
        only_whole: Whether the module must extend to the last layer.
    """
    total = len(costs.layers)
    options = []
    lasts: dict[float, list[int]] = {}
    for last in range(total - 1 if only_whole else first, total):
        lasts.setdefault(costs.layers[last].output, []).append(last)
    # The memory of a segment depends on the module's output, which has few sizes: one pass for each.
    for output, ends in lasts.items():
        walk = extend([start(costs.memory_before(first))], costs.layers[first : ends[-1] + 1], budget, output)
        for last, states in enumerate(walk, start=first):
            if not states:
                break  # longer modules need even more
            if last in ends:
                depths = [0] if last + 1 == total else [depth for layer, depth in costs.heads if layer == last]
                closed = (_closed(costs, first, last, states, depth, budget) for depth in depths)
                found = [each for each in closed if each is not None]
                options += [_module(costs, first, last, min(found))] if found else []
    return options


class _Closed(NamedTuple):
    """A module's layers with a head, in the order of preference."""

    compute: int
    head_parameters: int
    depth: int
    layers: Schedule
    head: HeadSchedule


def _closed(
    costs: NetworkCosts, first: int, last: int, states: list[Schedule], depth: int, budget: float
) -> _Closed | None:
    """The cheapest schedules of these layers with a head of this depth; ``None`` if none fits."""
    layers, head = costs.parts(first, last, depth)
    schedules = head_schedules(tuple(head))
    peaks = [schedule.peak for schedule in schedules]
    # Of the head schedules that fit after a state, the last one computes least.
    fitting = [(state, schedules[bisect_right(peaks, budget - state.memory) - 1]) for state in states]
    fitting = [(state, schedule) for state, schedule in fitting if state.memory + schedule.peak <= budget]
    if not fitting:
        return None
    state, schedule = min(fitting, key=lambda pair: pair[0].extra + pair[1].extra)
    compute = _passes(layers, head) + state.extra + schedule.extra
    return _Closed(compute, sum(layer.parameters for layer in head), depth, state, schedule)


def _module(costs: NetworkCosts, first: int, last: int, closed: _Closed) -> PlannedModule:
    layers, _ = costs.parts(first, last, closed.depth)
    module = PlannedModule(
        first,
        last,
        closed.depth,
        tuple(each.shifted(first) for each in segments_of(closed.layers)),
        closed.head.segments,
        closed.compute,
        0.0,
        sum(layer.parameters for layer in layers) + closed.head_parameters,
        closed.head_parameters,
    )
    return replace(module, activations=peak_of(costs, module))


def compute_of(costs: NetworkCosts, module: PlannedModule) -> int:
    """Cost of forward and backward of ``module`` for one image, in FLOPs or nanoseconds, also with other ``costs``."""
    layers, head = costs.parts(module.first, module.last, module.depth)
    own = [each.shifted(-module.first) for each in module.layer_segments]
    again = _recomputed(layers, own) + _recomputed(head, module.head_segments)
    return again + _passes(layers, head)


def _passes(layers: Sequence[LayerCost], head: Sequence[LayerCost]) -> int:
    """Cost of forward and backward without recomputation; the input of a module needs no gradient."""
    backward = layers[0].backward_without_input + sum(layer.backward for layer in [*layers[1:], *head])
    return backward + sum(layer.forward for layer in [*layers, *head])


def _recomputed(layers: Sequence[LayerCost], segments: Sequence[Segment]) -> int:
    return sum(
        layer.norms if segment.selective else layer.forward
        for segment in segments
        for layer in layers[segment.first : segment.last + 1]
    )


def peak_of(costs: NetworkCosts, module: PlannedModule) -> float:
    """Peak activation memory of ``module`` in bytes, for one image."""
    layers, head = costs.parts(module.first, module.last, module.depth)
    own = [each.shifted(-module.first) for each in module.layer_segments]
    return peak(costs.memory_before(module.first), layers, own, head, module.head_segments)


def peak(
    memory: float,
    layers: Sequence[LayerCost],
    layer_segments: Sequence[Segment],
    head: Sequence[LayerCost],
    head_segments: Sequence[Segment],
) -> float:
    """Peak activation memory of a module in bytes, for one image.

    Args:
        memory: Bytes in memory before the module, its input included.
        layers: Costs of its layers.
        layer_segments: Checkpoint segments, by index into ``layers``.
        head: Costs of the layers of its head, the classifier last.
        head_segments: Checkpoint segments, by index into ``head``.
    """
    layers_peak, memory = _walk(memory, layers, layer_segments, layers[-1].output)
    head_peak, memory = _walk(memory, head[:-1], head_segments, 0.0)
    return max(layers_peak, head_peak, memory + head[-1].peak)


def _walk(
    memory: float, layers: Sequence[LayerCost], segments: Sequence[Segment], kept_output: float
) -> tuple[float, float]:
    """Peak memory in bytes of ``layers``, in forward or when a segment is recomputed, and the memory after them."""
    most, position = memory, 0
    segments_by_start = {segment.first: segment for segment in segments}
    while position < len(layers):
        segment = segments_by_start.get(position)
        inside = memory
        for layer in layers[position : segment.last + 1 if segment else position + 1]:
            most = max(most, inside + layer.peak + (kept_output if segment else 0.0))
            inside += layer.internal + layer.output
        position = segment.last + 1 if segment else position + 1
        last = layers[position - 1]
        memory = memory + last.output + (last.convolved if segment.selective else 0.0) if segment else inside
    return most, memory
