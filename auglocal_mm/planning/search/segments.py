"""Decides which layers of one local module to save and which to recompute. Plain functions on numbers.

A sequence of layers saves its input and, for every saved layer, the tensors that backward needs. A checkpoint segment
saves its last output only; backward recomputes the segment and then stores all of it, after everything behind it is freed.
A layer with selective checkpointing, whose norms alone are recomputed, saves the outputs of its convolutions.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost


class Schedule(NamedTuple):
    """A checkpointing schedule of the first layers of a sequence.

    Attributes:
        memory: Bytes in memory after these layers.
        extra: Cost of recomputation in the backward pass.
        segment: The segment that ends here; ``None`` if the last layer is saved.
        before: The schedule of the layers before.
    """

    memory: float
    extra: int
    segment: Segment | None
    before: Optional['Schedule']


def start(memory: float) -> Schedule:
    """The schedule before the first layer, with ``memory`` bytes in memory."""
    return Schedule(memory, 0, None, None)


def extend(
    frontier: list[Schedule], layers: Sequence[LayerCost], budget: float, kept_output: float
) -> Iterator[list[Schedule]]:
    """Walks along ``layers`` and yields the Pareto-optimal schedules after each.

    Exact: of two schedules of the same layers, one with more memory and more compute can never become better.

    Args:
        frontier: The schedules before ``layers``. Segments start after them.
        layers: Costs of the layers to add.
        budget: Limit to the bytes in memory at any time.
        kept_output: Bytes of the module's output, which stays in memory for the next module while segments are recomputed.
    """
    own: list[list[Schedule]] = [frontier]
    for position in range(len(layers)):
        best: dict[int, Schedule] = {}  # for each value of extra compute, of which there are few, the least memory
        for choice in choices(layers, position, kept_output):
            for each in own[choice.start]:
                if each.memory + choice.peak > budget:
                    break  # those that follow need more
                memory, extra = each.memory + choice.memory, each.extra + choice.extra
                if extra not in best or memory < best[extra].memory:
                    best[extra] = Schedule(memory, extra, choice.segment, each)
        own.append(pareto(best.values()))
        yield own[-1]


class Choice(NamedTuple):
    """A decision for some consecutive layers.

    Attributes:
        start: Index of the first of them.
        peak: Their peak memory in bytes, on top of the memory before them.
        memory: Bytes that they add to the memory after them.
        extra: Cost of their recomputation in the backward pass.
        segment: The segment that is recomputed, or ``None``.
    """

    start: int
    peak: float
    memory: float
    extra: int
    segment: Segment | None


def choices(layers: Sequence[LayerCost], position: int, kept_output: float) -> Iterator[Choice]:
    """All decisions that end with the layer at ``position``: save it, or only its convolutions, or end a segment there."""
    layer = layers[position]
    yield Choice(position, layer.peak, layer.internal + layer.output, 0, None)
    if layer.convolved < layer.internal:
        norms = Segment(position, position, selective=True)
        yield Choice(position, layer.peak + kept_output, layer.convolved + layer.output, layer.norms, norms)
    peak, forward = 0.0, 0
    for first in range(position, -1, -1):
        if first < position and layers[first].tapped:
            break  # its output stays, so that a segment ends there
        peak = max(layers[first].peak, layers[first].internal + layers[first].output + peak)
        forward += layers[first].forward
        yield Choice(first, peak + kept_output, layer.output, forward, Segment(first, position))


def pareto(schedules: Iterable[Schedule]) -> list[Schedule]:
    """The Pareto-optimal schedules in memory and extra compute, ascending in memory."""
    best: list[Schedule] = []
    for schedule in sorted(schedules, key=lambda each: (each.memory, each.extra)):
        if not best or schedule.extra < best[-1].extra:
            best.append(schedule)
    return best


def segments_of(schedule: Schedule) -> list[Segment]:
    """The checkpoint segments of ``schedule``, ascending."""
    found = []
    current: Schedule | None = schedule
    while current is not None:
        if current.segment is not None:
            found.append(current.segment)
        current = current.before
    return found[::-1]
