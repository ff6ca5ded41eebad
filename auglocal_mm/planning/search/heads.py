"""The checkpointing schedules of an auxiliary network, found once and reused after every layer and for every budget."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.search.segments import choices


class HeadSchedule(NamedTuple):
    """The choice of what to recompute in a head, or in its first layers.

    Attributes:
        peak: Peak memory of the head in bytes, on top of the memory at its input.
        extra: Cost of recomputation in the backward pass.
        segments: Checkpoint segments of its hidden layers.
        memory: Bytes in memory after these layers, on top of the memory at the input.
    """

    peak: float
    extra: int
    segments: tuple[Segment, ...]
    memory: float


@cache
def head_schedules(head: tuple[LayerCost, ...]) -> list[HeadSchedule]:
    """The Pareto-optimal schedules in peak memory and extra compute, ascending in peak.

    Args:
        head: Costs of its layers, the classifier last.
    """
    *hidden, classifier = head
    own = [[HeadSchedule(0.0, 0, (), 0.0)]]
    for position in range(len(hidden)):
        schedules = []
        for choice in choices(hidden, position, kept_output=0.0):
            added = (choice.segment,) if choice.segment else ()
            schedules += [
                HeadSchedule(
                    max(each.peak, each.memory + choice.peak),
                    each.extra + choice.extra,
                    each.segments + added,
                    each.memory + choice.memory,
                )
                for each in own[choice.start]
            ]
        own.append(_pareto(schedules))
    closed = [
        schedule._replace(peak=max(schedule.peak, schedule.memory + classifier.peak), memory=0.0)
        for schedule in own[-1]
    ]
    return _pareto(closed)


def _pareto(schedules: Sequence[HeadSchedule]) -> list[HeadSchedule]:
    """The Pareto-optimal schedules in peak, extra compute and memory, ascending in peak."""
    best: list[HeadSchedule] = []
    for schedule in sorted(schedules, key=lambda each: (each.peak, each.extra, each.memory)):
        if not any(each.extra <= schedule.extra and each.memory <= schedule.memory for each in best):
            best.append(schedule)
    return best
