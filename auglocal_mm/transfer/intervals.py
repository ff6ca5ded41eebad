"""The intervals of a comparison: of all statistics of COCO and of each category's AP, for each name."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.average_precision import ITEMS
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.evaluation.weighted_statistics import weighted_statistics
from auglocal_mm.transfer.bootstrap import image_weights
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.evaluation_log import AP_ITEMS
from auglocal_mm.transfer.paired_interval import Interval, paired_interval
from auglocal_mm.transfer.recorded_matches import read_matches
from auglocal_mm.transfer.transfer_result import TransferResult

FEWEST = 10
"""Images with objects of a category or size, below which its AP has no finite interval: resamples of one image would all
agree."""
TOLERANCE = 1e-3
"""AP points by which a recorded AP may differ from that of its matches, through rounding alone."""
IDENTITY = {
    'images': ('image_ids',),
    'categories': ('category_ids', 'category_names'),
    'annotations': ('annotations',),
    'IoU thresholds or limits of detections': ('iou_thresholds', 'max_detections'),
}
"""What must be the same in evaluations that are compared, and the attributes of the matches that say it."""


@dataclass(frozen=True)
class Intervals:
    """Differences to the control with their intervals, in AP points; ``None`` where there are no such objects.

    Attributes:
        replicates: Number of resamples.
        seed: Of the resamples.
        num_images: Number of images that were evaluated.
        metrics: Name, except the control's -> metric, such as ``'bbox_mAP'`` -> interval, infinite where objects of that size
            are in fewer than ``FEWEST`` images.
        categories: Name, except the control's -> ``'bbox'`` or ``'segm'`` -> category -> interval of its AP, infinite for
            ``rare`` ones.
        rare: The categories with objects in fewer than ``FEWEST`` images.
    """

    replicates: int
    seed: int
    num_images: int
    metrics: Mapping[str, Mapping[str, Interval | None]]
    categories: Mapping[str, Mapping[str, Mapping[str, Interval | None]]]
    rare: Sequence[str]


def without_matches(comparison: Comparison) -> list[Path]:
    """The work_dirs that do not have what intervals are computed from: they were evaluated by an earlier version."""
    return [run.work_dir for runs in comparison.groups.values() for run in runs if run.matches is None]


def find_intervals(
    comparison: Comparison, replicates: int, seed: int, advance: Callable[[float], object] = lambda share: None
) -> Intervals:
    """Computes the intervals of a comparison whose runs all have matches.

    Args:
        comparison: The runs.
        replicates: Number of resamples, at least 2.
        seed: Of the resamples.
        advance: Called with each share of the work that is done; they add up to 1.

    Raises:
        InputError: Matches cannot be read or are not those of the recorded AP, or those of two runs are not comparable.
    """
    matches = {
        name: [read_matches(run.work_dir, run.matches) for run in runs if run.matches]
        for name, runs in comparison.groups.items()
    }
    kinds = _common_kinds(matches, comparison)
    first = next(iter(matches[comparison.control]))[kinds[0]]
    weights = image_weights(len(first.image_ids), replicates, seed)
    step = 1 / (len(weights) * len(kinds) * sum(map(len, matches.values())))

    def values(name: str, kind: str) -> NDArray[np.float64]:
        """AP points of a name (seeds, resamples, statistics)."""
        return 100 * np.stack(
            [weighted_statistics(run[kind], weights, lambda done: advance(done * step)) for run in matches[name]]
        )

    values_of = {name: {kind: values(name, kind) for kind in kinds} for name in matches}
    for name, runs in comparison.groups.items():
        for index, run in enumerate(runs):
            _refuse_edited(run, {kind: each[index, 0] for kind, each in values_of[name].items()})
    control = values_of[comparison.control]
    others = [name for name in matches if name != comparison.control]
    found = {name: {kind: _paired(control[kind], values_of[name][kind]) for kind in kinds} for name in others}
    return Intervals(
        replicates=replicates,
        seed=seed,
        num_images=len(first.image_ids),
        metrics={name: _by_metric(first, found[name]) for name in others},
        categories={
            name: {kind: _by_category(first, found[name][kind][len(ITEMS) :]) for kind in kinds} for name in others
        },
        rare=_rare(first),
    )


def _refuse_edited(run: TransferResult, computed: Mapping[str, NDArray[np.float64]]) -> None:
    """Refuses a run whose recorded AP is not that of its matches, given the latter's statistics by ``'bbox'`` or ``'segm'``."""
    for kind, values in computed.items():
        for item, value in zip(AP_ITEMS, values, strict=False):
            recorded = run.evaluation.metrics[f'{kind}_{item}']
            if recorded is not None and not abs(recorded - value) <= TOLERANCE:
                raise InputError(
                    f'{kind}_{item} is {recorded:.3f} in {run.evaluation.source}, but {value:.3f} by the matches that it names; '
                    'one of the files was changed: restore it, or test the checkpoint again by tools/test.py'
                )


def _paired(control: NDArray[np.float64], other: NDArray[np.float64]) -> list[Interval | None]:
    """Intervals of each statistic, given arrays (seeds, resamples, statistics)."""
    return [paired_interval(control[..., column], other[..., column]) for column in range(control.shape[2])]


def _by_metric(matches: Matches, found: Mapping[str, Sequence[Interval | None]]) -> dict[str, Interval | None]:
    return {
        f'{kind}_{item}': _open(each) if each and _num_images(matches, item) < FEWEST else each
        for kind, of_kind in found.items()
        for item, each in zip(ITEMS, of_kind, strict=False)
    }


def _num_images(matches: Matches, item: str) -> int:
    """Number of images with objects of the size that a statistic is about."""
    size = re.search(r'_([sml])\b', item)
    area = ' sml'.index(size[1]) if size else 0
    return np.count_nonzero(matches.positives[:, area].any(axis=0))


def _open(interval: Interval) -> Interval:
    return replace(interval, half_width=math.inf)


def _rare(matches: Matches) -> list[str]:
    images = np.count_nonzero(matches.positives[:, 0], axis=1)
    return matches.category_names[(images > 0) & (images < FEWEST)].tolist()


def _by_category(matches: Matches, intervals: Sequence[Interval | None]) -> dict[str, Interval | None]:
    rare = _rare(matches)
    named = zip(matches.category_names.tolist(), intervals, strict=True)
    return {name: _open(each) if each and name in rare else each for name, each in named}


def _common_kinds(matches: Mapping[str, Sequence[Mapping[str, Matches]]], comparison: Comparison) -> list[str]:
    """What all runs have, boxes or masks, after a check that they were evaluated on the same images in the same way."""
    runs = [each for of_name in matches.values() for each in of_name]
    work_dirs = [run.work_dir for of_name in comparison.groups.values() for run in of_name]
    for run, work_dir in zip(runs, work_dirs, strict=True):
        if not run.keys() & runs[0].keys():
            raise InputError(
                f'{work_dir} has matches of {", ".join(run)}, expected {", ".join(runs[0])} as {work_dirs[0]}; test the '
                'checkpoints again with the same val_evaluator.metric'
            )
        for kind in run.keys() & runs[0].keys():
            _refuse_other(run[kind], runs[0][kind], work_dir, work_dirs[0])
    return [kind for kind in runs[0] if all(kind in run for run in runs)]


def _refuse_other(matches: Matches, expected: Matches, work_dir: Path, first: Path) -> None:
    for what, names in IDENTITY.items():
        if not all(np.array_equal(getattr(matches, name), getattr(expected, name)) for name in names):
            raise InputError(
                f'{work_dir} was evaluated on other {what} than {first}, expected the same in all work_dirs; test the '
                'checkpoints again, with the same annotation file and evaluator'
            )
