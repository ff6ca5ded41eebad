"""Random data in place of the real ones, to see that everything works."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from auglocal_mm.files.atomic import write_json

CLASSES = ('cat', 'dog', 'emu')
NUMBER = 8
"""Images of each class, in each split."""


def class_folders(folder: Path, splits: tuple[str, str], side: int = 32) -> Path:
    """Writes ``folder/<split>/<class>/*.JPEG``, each class in its colour."""
    generator = np.random.default_rng(0)
    for split in splits:
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for index in range(NUMBER):
                pixels = generator.integers(0, 160, (side, side, 3), dtype=np.uint8)
                pixels[..., label] += 95
                Image.fromarray(pixels).save(folder / split / name / f'{index}.JPEG')
    return folder


def coco_folder(folder: Path, classes: Sequence[str], number: int = 4, side: int = 64) -> Path:
    """Writes ``images`` and the annotations of both splits as in ``coco_small``, with one square object in each image."""
    generator = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    names = [f'{index}.jpg' for index in range(1, number + 1)]
    for name in names:
        Image.fromarray(generator.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(folder / 'images' / name)
    images = [dict(id=index, file_name=name, width=side, height=side) for index, name in enumerate(names, 1)]
    content = {
        'images': images,
        'annotations': [square(image['id'], side // 4, side // 2) for image in images],
        'categories': [dict(id=index, name=name) for index, name in enumerate(classes, 1)],
    }
    for split in ('train', 'val'):
        write_json(folder / f'annotations/instances_{split}_super12.json', content)
    return folder


def square(number: int, start: int, side: int) -> dict[str, Any]:
    """The object of image ``number``."""
    end = start + side
    return dict(
        id=number,
        image_id=number,
        category_id=1 + number % 2,
        bbox=[start, start, side, side],
        area=side**2,
        iscrowd=0,
        segmentation=[[start, start, end, start, end, end, start, end]],
    )
