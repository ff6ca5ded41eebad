"""What COCO's AP is computed from: the scores of the detections, and whether each is right at each IoU threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCOeval
from numpy.typing import NDArray

from auglocal_mm.evaluation.annotation_digest import annotation_digest

AREAS = ('all', 'small', 'medium', 'large')
"""pycocotools' area ranges."""


@dataclass(frozen=True)
class Matches:
    """The matches of detections with objects, of boxes or of masks.

    Detections are in the order of pycocotools: by category, by image, and by descending score. Shapes are in numbers of
    images (I), categories (K), detections (N), area ranges (A) and IoU thresholds (T).

    Attributes:
        annotations: SHA-256 of the images and objects, see :func:`annotation_digest`.
        image_ids: (I,), ascending.
        category_ids: (K,), ascending.
        category_names: (K,).
        iou_thresholds: (T,).
        max_detections: Limits of detections per image and category, ascending.
        counts: (K, I), number of detections.
        scores: (N,), in double precision: pycocotools sorts them so, and rounding would make ties.
        matched: (A, T, N), whether a detection is matched with an object.
        ignored: (A, T, N), whether it counts neither as right nor as wrong.
        positives: (K, A, I), number of objects that are to be detected.
        boxes: (N, 4), left, top, width and height in pixels, to look at; ``None`` of masks, and in files of earlier versions.
    """

    annotations: str
    image_ids: NDArray[Any]
    category_ids: NDArray[np.int64]
    category_names: NDArray[np.str_]
    iou_thresholds: NDArray[np.float64]
    max_detections: NDArray[np.int64]
    counts: NDArray[np.int32]
    scores: NDArray[np.float64]
    matched: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    positives: NDArray[np.int32]
    boxes: NDArray[np.float32] | None = None


def collect_matches(evaluation: COCOeval) -> Matches:
    """The matches of an evaluation of at least one detection, after its ``evaluate()``."""
    params = evaluation.params
    shape = (len(params.catIds), len(AREAS), len(params.imgIds))
    found = np.array(evaluation.evalImgs, dtype=object).reshape(shape)  # None without objects and detections
    counts, positives = np.zeros((shape[0], shape[2]), np.int32), np.zeros(shape, np.int32)
    for index in zip(*np.nonzero(found), strict=True):
        positives[index] = np.count_nonzero(np.equal(found[index]['gtIgnore'], 0))
        counts[index[0], index[2]] = len(found[index]['dtScores'])
    areas = [[each for each in found[:, area].flat if each is not None] for area in range(len(AREAS))]
    return Matches(
        annotations=annotation_digest(evaluation),
        image_ids=np.array(params.imgIds),
        category_ids=np.array(params.catIds),
        category_names=np.array([category['name'] for category in evaluation.cocoGt.loadCats(params.catIds)]),
        iou_thresholds=np.array(params.iouThrs),
        max_detections=np.array(params.maxDets),
        counts=counts,
        scores=np.concatenate([each['dtScores'] for each in areas[0]]).astype(np.float64),
        matched=np.stack([np.concatenate([each['dtMatches'] for each in area], axis=1) != 0 for area in areas]),
        ignored=np.stack([np.concatenate([each['dtIgnore'] for each in area], axis=1) != 0 for area in areas]),
        positives=positives,
        boxes=_boxes(evaluation, areas[0]) if params.iouType == 'bbox' else None,
    )


def _boxes(evaluation: COCOeval, found: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    detections = evaluation.cocoDt.loadAnns([index for each in found for index in each['dtIds']])
    return np.array([each['bbox'] for each in detections], np.float32).reshape(-1, 4)
