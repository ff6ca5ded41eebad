"""Identifies the images and objects by which detections were evaluated."""

import hashlib
import json
import os
from typing import Any

from mmdet.datasets.api_wrappers import COCO, COCOeval


def annotation_digest(evaluation: COCOeval) -> str:
    """SHA-256 of all that an evaluation depends on besides the detections; of masks only where these are evaluated.

    Two files that differ in anything else, such as licences or other categories, have the same digest.
    """
    annotations, params = evaluation.cocoGt, evaluation.params
    digest = hashlib.sha256()
    for category in annotations.loadCats(params.catIds):
        digest.update(_line(category['id'], category['name']))
    for image in annotations.loadImgs(params.imgIds):
        digest.update(_line(image['id'], os.path.basename(image['file_name']), image['width'], image['height']))
        for each in annotations.imgToAnns.get(image['id'], ()):
            if each['category_id'] in params.catIds:
                digest.update(_line(*_object(each, annotations, with_mask=params.iouType == 'segm')))
    return digest.hexdigest()


def _object(annotation: dict[str, Any], annotations: COCO, with_mask: bool) -> list[Any]:
    numbers = map(float, (annotation['category_id'], annotation.get('iscrowd', 0), annotation['area']))
    counts = annotations.annToRLE(annotation)['counts'] if with_mask else None
    return [*numbers, *map(float, annotation['bbox']), counts.decode() if isinstance(counts, bytes) else counts]


def _line(*values: Any) -> bytes:
    return json.dumps(values).encode() + b'\n'
