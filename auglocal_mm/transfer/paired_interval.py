"""The 95 % interval of a difference between two sets of detectors, from a paired bootstrap over images and from seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
Z = float(stats.norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Interval:
    """A difference of means over seeds, and how far it is from that of all images and all seeds.

    Attributes:
        difference: In the unit of the values.
        half_width: Half the length of the interval of 95 %.
        between_images: Standard error that is due to the images.
        between_seeds: Standard error that is due to the seeds in addition; ``None`` where no name has several.
        shared: The part of ``between_images`` that more seeds would not reduce.
        one_seed: Standard error, besides ``shared``, with one seed of each name; ``None`` where a name has only one.
    """

    difference: float
    half_width: float
    between_images: float
    between_seeds: float | None
    shared: float
    one_seed: float | None

    @property
    def low(self) -> float:
        """The lower end."""
        return self.difference - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.difference + self.half_width


def paired_interval(control: NDArray[np.float64], other: NDArray[np.float64]) -> Interval | None:
    """The interval of ``other`` minus ``control``.

    The variance over the resamples, with all seeds, is that due to the images. The variance between seeds on the same images
    exceeds that of the seeds alone: each seed errs on other images. This part, which the resamples show too, is counted once.
    To redraw the seeds as well would count it twice, and would take two or three seeds for all there are. With few seeds the
    interval is widened by Student's t instead, with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946).

    Args:
        control: (S, 1 + R), by seed: the value for all images, then for each resample; NaN where it has no such objects.
        other: (S', 1 + R), of the same resamples.

    Returns:
        ``None`` without a value for all images, or with fewer than two for resamples.
    """
    known = ~np.isnan(control[0] + other[0])
    if not known[0] or known.sum() < 3:
        return None
    control, other = control[:, known], other[:, known]
    means = other.mean(axis=0) - control.mean(axis=0)
    images = float(means[1:].var(ddof=1))
    names = [_Seeds.of(values) for values in (control, other) if len(values) > 1]
    seeds = sum(each.excess for each in names)
    several = len(names) == 2
    return Interval(
        difference=float(means[0]),
        half_width=_quantile(images + seeds, names) * math.sqrt(images + seeds),
        between_images=math.sqrt(images),
        between_seeds=math.sqrt(seeds) if names else None,
        shared=math.sqrt(max(0.0, images - sum(each.on_images / each.n for each in names))),
        one_seed=math.sqrt(sum(max(each.observed, each.on_images) for each in names)) if several else None,
    )


@dataclass(frozen=True)
class _Seeds:
    """The variance between the ``n`` seeds of a name: on the images, and what of it is due to these images."""

    n: int
    observed: float
    on_images: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> '_Seeds':
        errors = values[:, 1:] - values[:, :1]
        return cls(len(values), float(values[:, 0].var(ddof=1)), float(errors.var(axis=0, ddof=1).mean()))

    @property
    def excess(self) -> float:
        """Variance of the mean that is due to the seeds alone."""
        return max(0.0, self.observed - self.on_images) / self.n


def _quantile(variance: float, names: Sequence[_Seeds]) -> float:
    """Of Student's t; of the normal distribution, if the seeds add nothing to what is known from many resamples."""
    squares = sum((each.observed / each.n) ** 2 / (each.n - 1) for each in names if each.excess)
    return float(stats.t.ppf((1 + LEVEL) / 2, variance**2 / squares)) if squares else Z
