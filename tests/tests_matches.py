"""Random objects and detections in COCO's format, and pycocotools' evaluation of them on copies of the images."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from auglocal_mm.evaluation.average_precision import summarized

SIDE = 200
CATEGORIES = 4
"""The last has no objects."""


def random_scene(seed: int, images: int = 12, detections: int = 9) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Objects of all sizes, some of them crowds, and detections, many with equal scores; every fifth image has no object."""
    rng = np.random.default_rng(seed)
    objects, found = [], []
    for image in range(1, images + 1):
        boxes = [_box(rng) for _ in range(0 if image % 5 == 0 else 6)]
        for box in boxes:
            category, crowd = int(rng.integers(1, CATEGORIES)), int(rng.random() < 0.15)
            objects.append(_record(image, category, box) | dict(id=len(objects) + 1, iscrowd=crowd))
        for box in itertools.islice(itertools.cycle([*boxes, _box(rng)]), detections):
            moved = box + rng.normal(0, 0.05, 4) * [*box[2:], *box[2:]] * [1, 1, 1, 1]
            score = round(float(rng.random()), 1)
            category = int(rng.integers(1, CATEGORIES + 1))
            found.append(_record(image, category, np.clip(moved, 1, SIDE - 1)) | dict(score=score))
    names = [dict(id=each, name=f'class {each}') for each in range(1, CATEGORIES + 1)]
    listed = [dict(id=each, file_name=f'{each}.png', width=SIDE, height=SIDE) for each in range(1, images + 1)]
    return dict(images=listed, annotations=objects, categories=names), found


def evaluated(content: Any, found: Sequence[Any], kind: str, weights: Sequence[int] | None = None) -> COCOeval:
    """Evaluates on a set in which each image is there as often as its weight says, under a new id."""
    weights = [1] * len(content['images']) if weights is None else weights
    copies = {image['id']: [] for image in content['images']}
    for new, image in enumerate(np.repeat([*copies], weights).tolist(), 1):
        copies[image].append(new)
    truth = COCO()
    truth.dataset = {
        'images': [{**each, 'id': new} for each in content['images'] for new in copies[each['id']]],
        'annotations': _copied(content['annotations'], copies),
        'categories': content['categories'],
    }
    truth.createIndex()
    dropped = 'segmentation' if kind == 'bbox' else 'bbox'
    detections = [{key: value for key, value in each.items() if key != dropped} for each in _copied(found, copies)]
    return COCOeval(truth, truth.loadRes(detections), kind)


def statistics(evaluation: COCOeval, **params: Any) -> list[float]:
    """The twelve statistics of pycocotools; NaN where it has -1."""
    stats = summarized(evaluation, **params).stats
    return np.where(stats < 0, np.nan, stats).tolist()


def _copied(records: Sequence[Any], copies: dict[int, list[int]]) -> list[dict[str, Any]]:
    """All records of the first copy of an image, then all of the second."""
    order = [
        {**each, 'image_id': new}
        for image, news in copies.items()
        for new in news
        for each in records
        if each['image_id'] == image
    ]
    return [{**each, 'id': number} for number, each in enumerate(order, 1)]


def _box(rng: np.random.Generator) -> np.ndarray:
    side = rng.choice([12.0, 45.0, 110.0])
    return np.array([*rng.uniform(0, SIDE - side, 2), side, side * rng.uniform(0.7, 1)])


def _record(image: int, category: int, box: np.ndarray) -> dict[str, Any]:
    x, y, w, h = box.tolist()
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    (mask,) = coco_mask.frPyObjects(polygon, SIDE, SIDE)
    return dict(image_id=image, category_id=category, bbox=[x, y, w, h], area=w * h, segmentation=mask)
