"""The ways to treat an auxiliary network, found once and then used behind every layer and for every budget."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.search.segments import choices


class HeadWay(NamedTuple):
    """One way.

    Attributes:
        peak: The most bytes that the head needs besides what is held in front of it.
        extra: FLOPs that backward spends on recomputation.
        segments: Of its hidden layers, which are recomputed.
        held: Bytes that are held behind the layers that were treated so far.
    """

    peak: float
    extra: int
    segments: tuple[Segment, ...]
    held: float


@cache
def head_ways(head: tuple[LayerCost, ...]) -> list[HeadWay]:
    """The ways that no other beats in both peak and extra compute, ascending in peak.

    Args:
        head: Its layers, the classifier last.
    """
    *hidden, classifier = head
    own = [[HeadWay(0.0, 0, (), 0.0)]]
    for position in range(len(hidden)):
        ways = []
        for choice in choices(hidden, position, kept_output=0.0):
            added = (choice.segment,) if choice.segment else ()
            ways += [
                HeadWay(
                    max(each.peak, each.held + choice.needs),
                    each.extra + choice.extra,
                    each.segments + added,
                    each.held + choice.holds,
                )
                for each in own[choice.start]
            ]
        own.append(_unbeaten(ways))
    closed = [way._replace(peak=max(way.peak, way.held + classifier.peak), held=0.0) for way in own[-1]]
    return _unbeaten(closed)


def _unbeaten(ways: Sequence[HeadWay]) -> list[HeadWay]:
    """Those that no other beats in peak, extra compute and what is held; ascending in peak."""
    best: list[HeadWay] = []
    for way in sorted(ways, key=lambda each: (each.peak, each.extra, each.held)):
        if not any(each.extra <= way.extra and each.held <= way.held for each in best):
            best.append(way)
    return best
