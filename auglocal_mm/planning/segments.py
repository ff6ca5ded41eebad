"""Which layers of one local module to keep and which to compute twice. Plain functions on numbers.

A sequence of layers holds its input and, for every kept layer, what backward needs of it. A run of checkpointed layers holds
its last output only; backward computes the run once more and then holds all of it, when everything behind it is gone.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

from auglocal_mm.planning.layer_cost import LayerCost


class State(NamedTuple):
    """A way to treat the first layers of a sequence.

    Attributes:
        held: Bytes that are held once they have run.
        extra: FLOPs that backward spends to compute runs again.
        run: First and last layer of the run that ends here (counted from 0), or ``None`` where the last layer is kept.
        before: The way of the layers before.
    """

    held: float
    extra: int
    run: tuple[int, int] | None
    before: Optional['State']


def start(held: float) -> State:
    """Before the first layer: only the input is held."""
    return State(held, 0, None, None)


def extend(
    frontier: list[State], layers: Sequence[LayerCost], budget: float, kept_output: float = 0.0
) -> Iterator[list[State]]:
    """Walks along ``layers`` and yields, after each, all ways that are not worse than another.

    Exact: of two ways through the same layers, one that holds more and computes more can never become better.

    Args:
        frontier: The ways to get there. Runs begin behind it.
        layers: What comes next.
        budget: Bytes that may be held at any moment.
        kept_output: Bytes of the module's output, which the next module waits for while runs are computed again.
    """
    own: list[list[State]] = [frontier]
    for position, layer in enumerate(layers):
        states = [
            State(each.held + layer.internal + layer.output, each.extra, None, each)
            for each in own[position]
            if each.held + layer.peak <= budget
        ]
        peak, forward = 0.0, 0
        for first in range(position, -1, -1):
            behind = layers[first]
            peak = max(behind.peak, behind.internal + behind.output + peak)
            forward += behind.forward
            if not own[first] or own[first][0].held + peak + kept_output > budget:
                break  # longer runs hold even more
            states += [
                State(each.held + layer.output, each.extra + forward, (first, position), each)
                for each in own[first]
                if each.held + peak + kept_output <= budget
            ]
        own.append(pareto(states))
        yield own[-1]


def pareto(states: list[State]) -> list[State]:
    """The states that no other beats in both, ascending in what they hold."""
    best: list[State] = []
    for state in sorted(states, key=lambda each: (each.held, each.extra)):
        if not best or state.extra < best[-1].extra:
            best.append(state)
    return best


def runs(state: State) -> list[tuple[int, int]]:
    """The checkpointed runs on the way to ``state``, ascending."""
    found = []
    current: State | None = state
    while current is not None:
        if current.run is not None:
            found.append(current.run)
        current = current.before
    return found[::-1]
