"""A few small images with objects in COCO's format, and fixed detections on them."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from auglocal_mm.datasets import CocoDataset
from auglocal_mm.evaluation import CocoMetric

CLASSES = ('dog', 'cat')
SIZES = {1: (80, 60), 2: (60, 80), 3: (70, 70)}
"""Width and height of the images by their ids."""
BOXES = [  # image, category, x, y, width, height
    (1, 1, 2, 3, 20, 30),
    (1, 2, 30, 10, 40, 40),
    (2, 1, 5, 5, 50, 60),
    (2, 2, 10, 30, 20, 24),
    (2, 2, 35, 50, 20, 25),
    (3, 1, 40, 8, 24, 50),
    (3, 2, 4, 4, 30, 16),
]
WITH_MASKS = [dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)]


def scenes() -> dict[str, Any]:
    """Three images with seven objects and a crowd of two categories, in the order of the file."""
    annotations: list[dict[str, Any]] = [
        dict(
            id=number,
            image_id=image,
            category_id=category,
            bbox=[x, y, w, h],
            area=w * h,
            iscrowd=0,
            segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
        )
        for number, (image, category, x, y, w, h) in enumerate(BOXES, 11)
    ]
    crowd = np.zeros((70, 70), np.uint8, order='F')
    crowd[40:65, 5:35] = 1
    runs = coco_mask.encode(crowd)
    runs['counts'] = runs['counts'].decode()
    box = dict(id=50, image_id=3, category_id=2, bbox=[5, 40, 30, 25], area=750, iscrowd=1)
    return copy.deepcopy(
        {
            'images': [dict(id=i, file_name=f'{i}.png', width=w, height=h) for i, (w, h) in SIZES.items()],
            'annotations': [*annotations, {**box, 'segmentation': runs}],
            'categories': [dict(id=1, name='cat'), dict(id=2, name='dog'), dict(id=7, name='emu')],
        }
    )


def write_scenes(folder: Path, content: Any, name: str = 'annotations.json') -> str:
    """Writes the images and the annotations; text and bytes as they are."""
    (folder / 'images').mkdir(exist_ok=True)
    for number, size in SIZES.items():
        Image.new('RGB', size, (40 * number, 90, 120)).save(folder / 'images' / f'{number}.png')
    path = folder / name
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def read(path: str, **settings: Any) -> CocoDataset:
    """The data set of an annotation file, for training."""
    defaults = dict(
        metainfo=dict(classes=CLASSES),
        pipeline=WITH_MASKS,
        data_prefix=dict(img=f'{Path(path).parent}/images'),
        serialize_data=False,  # faster
    )
    return CocoDataset(ann_file=path, **{**defaults, **settings})


def taught(dataset: CocoDataset) -> list[Any]:
    """What is trained on: image, label, box, crowd."""
    return [
        (info['img_path'].rsplit('/')[-1], each['bbox_label'], each['bbox'], each['ignore_flag'])
        for info in (dataset.get_data_info(index) for index in range(len(dataset)))
        for each in info['instances']
    ]


def measure(path: str, **settings: Any) -> dict[str, float]:
    """All figures of fixed detections by an annotation file."""
    return detect(path, **settings).evaluate(len(SIZES))


def detect(path: str, **settings: Any) -> CocoMetric:
    """A metric that has seen fixed detections, most of which are right.

    ``ids`` renames the images of the detections.
    """
    ids = settings.pop('ids', {})
    metric = CocoMetric(ann_file=path, **{'metric': ['bbox', 'segm'], 'classwise': True, **settings})
    metric.dataset_meta = {'classes': CLASSES}
    for image, (width, height) in SIZES.items():
        found = [(category, x + 2 * (image == 2), y, w, h) for where, category, x, y, w, h in BOXES if where == image]
        found += [(2, 1, 40, 25, 30)] * (image == 1)  # not an object
        masks = torch.zeros(len(found), height, width, dtype=torch.bool)
        for mask, (_, x, y, w, h) in zip(masks, found, strict=True):
            mask[y : y + h, x : x + w] = True
        instances = dict(
            bboxes=torch.tensor([[x, y, x + w, y + h] for _, x, y, w, h in found], dtype=torch.float),
            scores=torch.tensor([0.9 - 0.1 * each - 0.01 * image for each in range(len(found))]),
            labels=torch.tensor([2 - category for category, *_ in found]),
            masks=masks,
        )
        sample = dict(img_id=ids.get(image, image), ori_shape=(height, width), pred_instances=instances)
        metric.process({}, [sample])
    return metric
