"""Detections in the order of their scores, sorted once for all resamples of the images."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.evaluation.matches import Matches


class Ranking(NamedTuple):
    """Detections by descending score.

    Attributes:
        detections: Their indices, some several times.
        columns: Of the weights (see :func:`copied_weights`), which say how often each is there.
    """

    detections: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """The detections that count at one IoU threshold and area range, by descending score, until the last right one.

    Attributes:
        columns: Of the weights.
        right: Positions of the right ones among them.
    """

    columns: NDArray[np.int64]
    right: NDArray[np.int64]

    @classmethod
    def of(cls, ranking: Ranking, matched: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> 'Curve':
        """Selects the detections that are not ignored."""
        counted = ~ignored[ranking.detections]
        right = np.flatnonzero(matched[ranking.detections][counted])
        end = right[-1] + 1 if right.size else 0
        return cls(ranking.columns[counted][:end], right)


def rank(scores: NDArray[np.float64], images: NDArray[np.int64], num_images: int, copies: int) -> Ranking:
    """Sorts the detections of a category as pycocotools would sort those of resampled images.

    Copies of an image follow each other there. So do the copies of a detection, unless it has the score of another one in
    its image: of such ties, all come from the first copy of the image, then all from the second, and so on. They are listed
    once for each copy.

    Args:
        scores: (n,).
        images: (n,), ascending indices of their images.
        num_images: Of the whole set.
        copies: The largest number of copies of an image.
    """
    order = np.argsort(-scores, kind='stable')
    tied = (np.diff(scores[order]) == 0) & (np.diff(images[order]) == 0)  # with the next one
    group = np.cumsum(np.r_[True, ~tied][: len(order)])
    repeated = np.bincount(group)[group] > 1
    places = np.repeat(np.arange(len(order)), np.where(repeated, copies, 1))
    copy = np.arange(len(places)) - np.searchsorted(places, places)
    listed = np.lexsort((places, copy, group[places]))
    places, copy = places[listed], copy[listed]
    detections = order[places]
    return Ranking(detections, images[detections] + num_images * np.where(repeated[places], copy + 1, 0))


def copied_weights(weights: NDArray[np.int32], copies: int) -> NDArray[np.int32]:
    """Columns of weights to which rankings refer: of each image, and of its first, second, ... copy.

    Args:
        weights: (B, I), how often each image is in each resample.
        copies: As for :func:`rank`.

    Returns:
        (B, I * (1 + copies)).
    """
    return np.concatenate([weights, *(weights > copy for copy in range(copies))], axis=1, dtype=np.int32)


def ranks_in_images(counts: NDArray[np.int32]) -> NDArray[np.int64]:
    """The ranks of detections in their images, from 0, given the number in each."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def curves_of(matches: Matches, category: int, limit: int, copies: int) -> list[list[Curve]]:
    """The curves of a category by area range and IoU threshold.

    Args:
        matches: Of all categories.
        category: Index of the category.
        limit: Number of detections that count in each image.
        copies: As for :func:`rank`.
    """
    begin = int(matches.counts[:category].sum())
    counts = matches.counts[category]
    kept = np.flatnonzero(ranks_in_images(counts) < limit)
    images = np.repeat(np.arange(len(counts)), counts)[kept]
    ranking = rank(matches.scores[begin + kept], images, len(counts), copies)
    ranking = Ranking(begin + kept[ranking.detections], ranking.columns)
    return [
        [Curve.of(ranking, matched, ignored) for matched, ignored in zip(*of_area, strict=True)]
        for of_area in zip(matches.matched, matches.ignored, strict=True)
    ]
