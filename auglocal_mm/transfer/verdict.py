"""Whether a difference is one: better, worse, equal within a margin, or undecided, and what would decide."""

import math
from dataclasses import dataclass
from typing import Literal

from auglocal_mm.transfer.paired_interval import Interval, Z

MARGIN = 0.3
"""AP points by which detectors on COCO usually differ between seeds."""
NOTHING_DETECTED = 'too little was detected, as no AP is above the margin'
"""Why detectors are not called equal whose APs are all within the margin of zero: they could not differ by more."""
TOO_FEW_IMAGES = 'too few images have objects for an interval'
"""Why an infinite interval decides nothing."""
Word = Literal['better', 'worse', 'equal', 'undecided']


@dataclass(frozen=True)
class Verdict:
    """What an interval says of a difference.

    Attributes:
        word: The verdict.
        images: Number of images that would decide, with the seeds as they are; ``None`` if decided, or if no number would.
        seeds: Number of seeds of each name that would decide, with the images as they are; ``None`` also if unknown, with one
            seed of a name.
        obstacle: Why no number of images or seeds would decide; ``None`` if one might.
    """

    word: Word
    images: int | None = None
    seeds: int | None = None
    obstacle: str | None = None


def judge(interval: Interval, margin: float, num_images: int, num_seeds: int, ap: float) -> Verdict:
    """The verdict.

    It is ``'equal'`` where the interval lies within the margin, whether or not it contains zero; else ``'better'`` or
    ``'worse'`` where it does not contain zero. The numbers that would decide are those for which the interval would just do
    so, if the difference and the spreads stayed as they are and were normally distributed. Detectors of which neither has an
    AP above the margin are not equal for that, but undecided.

    Args:
        interval: Of the difference.
        margin: Differences up to this one do not matter.
        num_images: Number of images that were evaluated.
        num_seeds: Number of seeds of the name that has most.
        ap: The larger of the two APs, in points.
    """
    if math.isinf(interval.half_width):
        return Verdict('undecided', obstacle=TOO_FEW_IMAGES)
    if max(-interval.low, interval.high) <= margin:
        return Verdict('equal') if ap > margin else Verdict('undecided', obstacle=NOTHING_DETECTED)
    if interval.low > 0 or interval.high < 0:
        return Verdict('better' if interval.low > 0 else 'worse')
    # The interval may be this wide and still exclude zero, or lie within the margin, whichever is easier.
    allowed = max(abs(interval.difference), margin - abs(interval.difference))
    between_seeds = interval.between_seeds or 0.0
    # More images leave the few seeds, and with them the quantile of Student's t, as they are.
    quantile = interval.half_width / math.hypot(interval.between_images, between_seeds) if between_seeds else Z
    images = _number(num_images * interval.between_images**2, (allowed / quantile) ** 2 - between_seeds**2, num_images)
    seeds = (
        None
        if interval.one_seed is None
        else _number(interval.one_seed**2, (allowed / Z) ** 2 - interval.shared**2, num_seeds)
    )
    return Verdict('undecided', images, seeds)


def _number(variance: float, allowed: float, most: int) -> int | None:
    """The number that reduces the variance of one to what is allowed, at least one more than there is."""
    return max(math.ceil(variance / allowed), most + 1) if allowed > 0 else None
