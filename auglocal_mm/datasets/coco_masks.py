"""Checks masks of COCO's annotations, polygons or run lengths, since pycocotools does not."""

from collections import Counter
from typing import Any

from pycocotools import mask as coco_mask

from auglocal_mm.datasets.coco_entry import NUMBERS, Entry

POLYGON = 'a list of polygons, each x1, y1, x2, y2, ... in pixels with 3 corners or more'
RUNS = 'run lengths that fill an image of'
BEYOND = 'masks extend beyond their boxes'
PARTS = 'masks have parts with fewer than 3 corners, which are dropped'


def check_mask(entry: Entry, width: int, height: int, notes: Counter[str]) -> None:
    """Checks that ``segmentation`` is a mask that overlaps or touches the object's box; drops parts that are lines or points.

    Args:
        entry: An annotation with a valid ``bbox``.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        notes: Counts masks with dropped parts, and masks that extend beyond their boxes.

    Raises:
        InputError: It is not.
    """
    mask, (x, y, w, h) = entry.record.get('segmentation'), entry.record['bbox']
    if isinstance(mask, dict):
        if not _is_run_lengths(mask, width, height):
            entry.refuse('segmentation', f'{RUNS} {width} x {height}')
        rle = coco_mask.frPyObjects(mask, height, width) if isinstance(mask['counts'], list) else mask
        left, top, wide, high = coco_mask.toBbox(rle)
        right, bottom = left + wide, top + high
    else:
        hulls = _hulls(mask, width, height)
        if not hulls:
            entry.refuse('segmentation', POLYGON)
        if len(hulls) < len(mask):
            entry.record['segmentation'] = [part for part in mask if len(part) > 4]
            notes[PARTS] += 1
        lefts, tops, rights, bottoms = zip(*hulls, strict=True)
        left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    if w < 1 or h < 1:
        return
    if left > x + w + 1 or right < x - 1 or top > y + h + 1 or bottom < y - 1:
        entry.refuse('segmentation', f'a mask in the box {entry.record["bbox"]}')
    if max(x - left, y - top, right - x - w, bottom - y - h) > 2 + 0.1 * max(w, h):
        notes[BEYOND] += 1
    if left == right or top == bottom:
        entry.refuse('segmentation', f'a mask that is not empty in the box {entry.record["bbox"]}')


def mask_area(mask: Any, width: int, height: int) -> float:
    """The number of pixels of a valid mask."""
    if isinstance(mask, list):
        mask = coco_mask.merge(coco_mask.frPyObjects(mask, height, width))
    elif isinstance(mask['counts'], list):
        mask = coco_mask.frPyObjects(mask, height, width)
    return float(coco_mask.area(mask))


def _hulls(mask: Any, width: int, height: int) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each polygon with 3 corners; empty if one is not a polygon in or near the image.

    pycocotools samples points along the edges, so that a distant corner would exhaust memory.
    """
    hulls = []
    for part in mask if isinstance(mask, list) else [None]:
        if type(part) is not list or len(part) % 2 or not set(map(type, part)) <= NUMBERS:
            return []
        if len(part) < 6:
            continue
        xs, ys = part[0::2], part[1::2]
        left, top, right, bottom = hull = min(xs), min(ys), max(xs), max(ys)
        if left < -width or top < -height or right > 2 * width or bottom > 2 * height:
            return []
        hulls.append(hull)
    return hulls


def _is_run_lengths(mask: dict[str, Any], width: int, height: int) -> bool:
    """Whether the mask is run lengths of an image of this size."""
    counts = mask.get('counts')
    if mask.get('size') != [height, width]:
        return False
    runs = _decode(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not set(map(type, runs)) <= {int}:
        return False
    return min(runs, default=-1) >= 0 and sum(runs) == width * height


def _decode(text: str) -> list[int] | None:
    """The runs in COCO's compressed format: 5 bits per character; from the fourth run on, differences to the second last."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            return None
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            value -= (code & 16) << (shift - 4)  # the sign: the highest bit
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs if shift == 0 else None
