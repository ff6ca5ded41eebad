"""Which layers of one local module to keep and which to recompute. Plain functions on numbers.

A sequence of layers holds its input and, for every kept layer, what backward needs of it. A checkpoint segment holds
its last output only; backward recomputes the segment and then holds all of it, when everything behind it is gone. A layer
whose norms alone are recomputed holds the results of its convolutions.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost


class Way(NamedTuple):
    """A way to treat the first layers of a sequence.

    Attributes:
        held: Bytes that are held once they have run.
        extra: FLOPs that backward spends on recomputation.
        segment: The segment that ends here, or ``None`` where the last layer is kept.
        before: The way of the layers before.
    """

    held: float
    extra: int
    segment: Segment | None
    before: Optional['Way']


def start(held: float) -> Way:
    """Before the first layer: only the input is held."""
    return Way(held, 0, None, None)


def extend(frontier: list[Way], layers: Sequence[LayerCost], budget: float, kept_output: float) -> Iterator[list[Way]]:
    """Walks along ``layers`` and yields, after each, all ways that are not worse than another.

    Exact: of two ways through the same layers, one that holds more and computes more can never become better.

    Args:
        frontier: The ways to get there. Segments begin behind it.
        layers: What comes next.
        budget: Bytes that may be held at any moment.
        kept_output: Bytes of the module's output, which the next module waits for while segments are recomputed.
    """
    own: list[list[Way]] = [frontier]
    for position in range(len(layers)):
        best: dict[int, Way] = {}  # by extra compute, which takes few values: the way that holds least
        for choice in choices(layers, position, kept_output):
            for each in own[choice.start]:
                if each.held + choice.needs > budget:
                    break  # those behind hold more
                held, extra = each.held + choice.holds, each.extra + choice.extra
                if extra not in best or held < best[extra].held:
                    best[extra] = Way(held, extra, choice.segment, each)
        own.append(pareto(best.values()))
        yield own[-1]


class Choice(NamedTuple):
    """What to do with some layers.

    Attributes:
        start: The first of them.
        needs: Bytes that they need for a moment besides what is held before.
        holds: Bytes that are held from then on.
        extra: FLOPs that backward spends on them again.
        segment: Which of them are recomputed, or ``None``.
    """

    start: int
    needs: float
    holds: float
    extra: int
    segment: Segment | None


def choices(layers: Sequence[LayerCost], position: int, kept_output: float) -> Iterator[Choice]:
    """All that may end with the layer at ``position``: save it, or its convolutions, or end a segment there."""
    layer = layers[position]
    yield Choice(position, layer.peak, layer.internal + layer.output, 0, None)
    if layer.convolved < layer.internal:
        norms = Segment(position, position, selective=True)
        yield Choice(position, layer.peak + kept_output, layer.convolved + layer.output, 0, norms)
    peak, forward = 0.0, 0
    for first in range(position, -1, -1):
        if first < position and layers[first].tapped:
            break  # its output stays, so that a segment ends there
        peak = max(layers[first].peak, layers[first].internal + layers[first].output + peak)
        forward += layers[first].forward
        yield Choice(first, peak + kept_output, layer.output, forward, Segment(first, position))


def pareto(states: Iterable[Way]) -> list[Way]:
    """The states that no other beats in both, ascending in what they hold."""
    best: list[Way] = []
    for state in sorted(states, key=lambda each: (each.held, each.extra)):
        if not best or state.extra < best[-1].extra:
            best.append(state)
    return best


def segments_of(state: Way) -> list[Segment]:
    """The checkpoint segments on the way to ``state``, ascending."""
    found = []
    current: Way | None = state
    while current is not None:
        if current.segment is not None:
            found.append(current.segment)
        current = current.before
    return found[::-1]
