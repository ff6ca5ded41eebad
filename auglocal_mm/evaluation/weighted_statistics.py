"""COCO's statistics of weighted images: what pycocotools computes where each image is there as often as its weight says."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.evaluation.average_precision import DETECTIONS
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.evaluation.score_order import Curve, copied_weights, curves_of, ranks_in_images

Floats = NDArray[np.float64]
Weights = NDArray[np.int32]
RECALLS = np.linspace(0, 1, 101)
"""The recalls at which pycocotools reads the precision."""
AREAS_OF_RECALL = [0, 0, 0, 1, 2, 3]
"""Indices of the area ranges of pycocotools' six recalls; the first three differ in the limit of detections."""
BATCH = 64
"""Number of resamples that are computed together."""


def weighted_statistics(
    matches: Matches, weights: Weights, advance: Callable[[int], object] = lambda done: None
) -> Floats:
    """The statistics of resamples of the images, equal to those of pycocotools on copied images.

    The copies of an image must follow each other there, in the order of the images: detections with the same score are
    sorted by image.

    Args:
        matches: Of boxes or of masks.
        weights: (B, I), how often each image is in each resample.
        advance: Called with the number of resamples that are done since its last call.

    Returns:
        (B, 12 + K), from 0 to 1: ``ITEMS``, then AP of each category. NaN where a resample has no such objects.
    """
    copies, most = int(weights.max(initial=0)), int(matches.counts.max(initial=0))
    counted, last = min(DETECTIONS, most), min(int(matches.max_detections[-1]), most)  # detections per image
    curves = {
        limit: [curves_of(matches, category, limit, copies) for category in range(len(matches.category_ids))]
        for limit in {counted, last}
    }
    detected, batches = _detected(matches), []
    for begin in range(0, len(weights), BATCH):
        batch = weights[begin : begin + BATCH]
        positives = np.tensordot(matches.positives.astype(float), batch, axes=(2, 1))
        columns = copied_weights(batch, copies)
        precision = {limit: _precision(columns, curves[limit], positives) for limit in curves}
        recall = _ratio(np.tensordot(detected, batch, axes=(2, 1)), positives.swapaxes(0, 1)[AREAS_OF_RECALL])
        values = [*_precision_items(matches, precision[counted], precision[last]), *recall.swapaxes(1, 2)]
        batches.append(np.column_stack([*map(_mean_of_known, values), values[0]]))
        advance(len(batch))
    return np.concatenate(batches)


def average_precision(columns: Weights, curve: Curve, positives: Floats) -> Floats:
    """AP at one IoU threshold and area range: the mean over ``RECALLS`` of the highest precision at or above each recall.

    Only the right detections matter: between two of them, recall stays as it is and precision falls.

    Args:
        columns: (B, C), weights.
        curve: The detections.
        positives: (B,), number of objects.

    Returns:
        (B,), NaN without objects.
    """
    counts = np.take(columns, curve.columns, axis=1)
    right = np.cumsum(counts[:, curve.right], axis=1, dtype=np.int32)
    found = np.cumsum(counts, axis=1, dtype=np.int32)[:, curve.right]
    precision = right / np.maximum(found, 1)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, _ratio(right, positives[:, None]), side='right')
    area = np.einsum('bn,bn->b', highest, np.diff(reached, axis=1, prepend=0))
    return np.where(positives > 0, area / len(RECALLS), np.nan)


def _detected(matches: Matches) -> Floats:
    """Number of detected objects, averaged over IoU thresholds (6, K, I), for each of the recalls."""
    segments = np.repeat(np.arange(matches.counts.size), matches.counts.ravel())
    ranks = ranks_in_images(matches.counts.ravel())
    right = (matches.matched & ~matches.ignored).mean(axis=1)
    limits = [*matches.max_detections[:3], *[matches.max_detections[-1]] * 3]
    return np.array(
        [
            np.bincount(segments, right[area] * (ranks < limit), matches.counts.size).reshape(matches.counts.shape)
            for area, limit in zip(AREAS_OF_RECALL, limits, strict=True)
        ]
    )


def _precision(columns: Weights, curves: Sequence[Sequence[Sequence[Curve]]], positives: Floats) -> Floats:
    """AP (A, T, B, K) of curves by category, area range and IoU threshold."""
    values = [
        [
            [average_precision(columns, curve, objects) for curve in of_area]
            for of_area, objects in zip(*each, strict=True)
        ]
        for each in zip(curves, positives, strict=True)
    ]
    return np.moveaxis(np.array(values), 0, -1)


def _precision_items(matches: Matches, counted: Floats, precision: Floats) -> list[Floats]:
    """The first six of ``ITEMS`` by category, each (B, K)."""
    unknown = np.full(counted.shape[2:], np.nan)
    at = [precision[0][matches.iou_thresholds == threshold] for threshold in (0.5, 0.75)]
    return [
        counted[0].mean(axis=0) if DETECTIONS in matches.max_detections else unknown,
        *(values[0] if len(values) else unknown for values in at),
        *precision[1:].mean(axis=1),
    ]


def _mean_of_known(values: Floats) -> Floats:
    """The mean over the categories with objects (B,), given (B, K)."""
    return _ratio(np.nansum(values, axis=1), np.count_nonzero(~np.isnan(values), axis=1))


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """NaN where the denominator is zero."""
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(denominator > 0, numerator / denominator, np.nan)
