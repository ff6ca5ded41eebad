"""Shrinks the images of a small COCO data set, and their annotations with them.

python projects/gpu_campaign/shrink_coco.py data/coco_small data/coco_smaller
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from rich.progress import track

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_text
from auglocal_mm.launch.launch import command_line_tool

LONG_SIDE = 400
QUALITY = 90
"""Of the JPEG files."""
Size = tuple[int, int]
"""Width and height in pixels."""


def shrunk(size: Size, long_side: int) -> Size:
    """The size of a shrunk image; smaller images stay as they are."""
    factor = min(1.0, long_side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def shrink_annotations(content: dict[str, Any], long_side: int) -> dict[str, Any]:
    """The content of an annotation file for the shrunk images."""
    old = {image['id']: (image['width'], image['height']) for image in content['images']}
    new = {number: shrunk(size, long_side) for number, size in old.items()}
    images = [{**image, 'width': new[image['id']][0], 'height': new[image['id']][1]} for image in content['images']]
    annotations = [shrink_object(each, old[each['image_id']], new[each['image_id']]) for each in content['annotations']]
    return {**content, 'images': images, 'annotations': annotations}


def shrink_object(annotation: dict[str, Any], old: Size, new: Size) -> dict[str, Any]:
    """One object of an image that had the ``old`` size and has the ``new`` one."""
    across, down = new[0] / old[0], new[1] / old[1]
    x, y, width, height = annotation['bbox']
    return {
        **annotation,
        'bbox': rounded([x * across, y * down, width * across, height * down]),
        'area': annotation['area'] * across * down,
        'segmentation': shrink_segmentation(annotation['segmentation'], old, new),
    }


def shrink_segmentation(segmentation: Any, old: Size, new: Size) -> Any:
    """Polygons with scaled corners, or a mask as uncompressed runs, with the nearest pixel of the old one in each place."""
    if isinstance(segmentation, list):
        factors = new[0] / old[0], new[1] / old[1]
        return [rounded(value * factors[index % 2] for index, value in enumerate(polygon)) for polygon in segmentation]
    runs = segmentation
    if isinstance(runs['counts'], list):
        runs = coco_mask.frPyObjects(runs, *runs['size'])
    mask = Image.fromarray(coco_mask.decode(runs)).resize(new, Image.Resampling.NEAREST)
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return {'size': encoded['size'], 'counts': encoded['counts'].decode()}


def rounded(values: Iterable[float]) -> list[float]:
    """Pixels with two decimals, as in COCO."""
    return [round(value, 2) for value in values]


def shrink_images(source: Path, out: Path, long_side: int) -> None:
    """Writes all images of a folder, shrunk, under their names."""
    out.mkdir(parents=True, exist_ok=True)
    for path in track(sorted(source.iterdir()), description=out.name):
        with Image.open(path) as image:
            small = image.convert('RGB').resize(shrunk(image.size, long_side), Image.Resampling.LANCZOS)
        small.save(out / path.name, quality=QUALITY)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and shrinks the data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='folder with images/ and annotations/')
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument('--long-side', type=int, default=LONG_SIDE, help='pixels')
    options = parser.parse_args(arguments)
    files = sorted((options.source / 'annotations').glob('*.json'))
    if not files:
        raise InputError(f'{options.source} has no annotations/*.json; give a folder with images/ and annotations/')
    for path in files:
        content = shrink_annotations(json.loads(path.read_text()), options.long_side)
        write_text(options.out / 'annotations' / path.name, json.dumps(content))
    shrink_images(options.source / 'images', options.out / 'images', options.long_side)


if __name__ == '__main__':
    main()
