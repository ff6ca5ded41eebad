"""Reads COCO's annotation files: records are valid, repaired or excluded with a note, or refused."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from auglocal_mm.datasets.coco_entry import NUMBERS, Entry
from auglocal_mm.datasets.coco_masks import BEYOND, PARTS, check_mask, mask_area
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import decode_json

MARGIN = 2
"""Pixels by which a box can extend beyond its image without a note."""
OUTSIDE = 'boxes extend beyond their images (expected x, y, width and height)'
TINY = 'boxes cover less than one pixel of their images: excluded from training, but evaluated'
AREA = 'annotations have no valid area, and get that of the mask or box'


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Switches off garbage collection, which scans millions of records repeatedly and takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_without_garbage_collection()
def read_annotations(path: str, with_masks: bool = False) -> tuple[dict[str, Any], Counter[str]]:
    """Reads an annotation file and normalises its records: ids are integers, ``iscrowd`` is set, areas are positive.

    Annotations get new ids from 1: pycocotools treats an object with the id 0 as never detected.

    Args:
        path: A JSON file in UTF-8 with ``images`` and ``categories``, and ``annotations`` unless it only lists test images.
        with_masks: Whether masks are used; then each annotation must have one.

    Returns:
        The content, and the number of records that were repaired or excluded, by description.

    Raises:
        InputError: The file is missing or invalid.
    """
    content = _content(path)
    notes: Counter[str] = Counter()
    images = _images(path, content, notes)
    categories = _categories(path, content, notes)
    content.setdefault('annotations', [])  # a list of test images
    content['annotations'] = _annotations(path, content, notes, images, categories, with_masks)
    return content, +notes


def _content(path: str) -> dict[str, Any]:
    if not is_there(path):
        raise InputError(
            f'there is no annotation file {path}; correct ann_file, or data_root, in the configs for COCO by the environment '
            'variable COCO'
        )
    content = decode_json(Path(path).read_bytes(), path, 'write it again, or give another file', _not_finite)
    if not isinstance(content, dict):
        raise InputError(
            f'{path} contains a {type(content).__name__}, expected an object with images, annotations and categories; '
            'give the annotation file (a list is a results file)'
        )
    return content


def _not_finite(literal: str) -> NoReturn:
    raise ValueError(f'it contains the number {literal}')


def _entries(path: str, content: dict[str, Any], key: str) -> Iterator[Entry]:
    records = content.get(key)
    if not isinstance(records, list):
        raise InputError(f"{path} has {key} {records!r:.60}, expected a list; give an annotation file in COCO's format")
    return (Entry(path, key, index, record) for index, record in enumerate(records))


def _images(path: str, content: dict[str, Any], notes: Counter[str]) -> dict[int | str, dict[str, Any]]:
    """The images by id. If any id is not a number, all become strings, because NumPy cannot sort mixed types."""
    entries = [*_entries(path, content, 'images')]
    converted: Counter[str] = Counter()
    ids = [entry.identifier('id', converted) for entry in entries]
    if any(isinstance(each, str) for each in ids):
        ids = [str(entry.record['id']) for entry in entries]
    else:
        notes.update(converted)
    images: dict[int | str, dict[str, Any]] = {}
    names: set[str] = set()
    for image_id, entry in zip(ids, entries, strict=True):
        name = entry.text('file_name')
        if image_id in images:
            entry.refuse('id', 'each id once (merged files need new ids)')
        if name in names:
            entry.refuse('file_name', 'each image once, with all its annotations')
        names.add(name)
        images[image_id] = entry.record
        entry.record.update(id=image_id, width=entry.side('width'), height=entry.side('height'))
    return images


def _categories(path: str, content: dict[str, Any], notes: Counter[str]) -> dict[int | str, dict[str, Any]]:
    """The categories by id."""
    categories: dict[int | str, dict[str, Any]] = {}
    for entry in _entries(path, content, 'categories'):
        category_id = entry.identifier('id', notes)
        entry.text('name')
        if isinstance(category_id, str) or category_id in categories:
            entry.refuse('id', 'each integer once')
        categories[category_id] = entry.record
        entry.record['id'] = category_id
    return categories


class _Annotations:
    """Reads the annotations one by one.

    Args:
        images: Images by id.
        categories: Categories by id.
        with_masks: Whether each annotation must have a mask.
        notes: Counts records that are repaired or excluded.
    """

    def __init__(
        self,
        images: dict[int | str, dict[str, Any]],
        categories: dict[int | str, dict[str, Any]],
        with_masks: bool,
        notes: Counter[str],
    ) -> None:
        self.images, self.categories, self.with_masks, self.notes = images, categories, with_masks, notes
        self.ids: set[int | str] = set()

    def read(self, entry: Entry) -> dict[str, Any] | None:
        """The normalised record, or ``None`` if its image is not in the file."""
        record, notes = entry.record, self.notes
        self._identify(entry)
        if record['image_id'] not in self.images:
            notes['annotations belong to no image of the file, and are excluded'] += 1
            return None
        if record.get('iscrowd') is None:
            notes['annotations have no iscrowd, and are treated as single objects'] += 1
        record['iscrowd'] = entry.flag('iscrowd', notes)
        if 'ignore' in record:
            record['ignore'] = entry.flag('ignore', notes)
            notes['annotations are marked "ignore": excluded from training, but evaluated'] += record['ignore']
        self._geometry(entry, self.images[record['image_id']])
        return record

    def _identify(self, entry: Entry) -> None:
        record, notes = entry.record, self.notes
        annotation_id = entry.identifier('id', notes)
        if annotation_id in self.ids:
            entry.refuse('id', 'each id once (merged files need new ids)')
        self.ids.add(annotation_id)
        image_id = record.get('image_id')
        if not isinstance(image_id, str) or image_id not in self.images:
            image_id = entry.identifier('image_id', notes)
            image_id = image_id if image_id in self.images else str(image_id)
        category_id = entry.identifier('category_id', notes)
        if category_id not in self.categories:
            entry.refuse('category_id', 'the id of one of the categories')
        record.update(id=len(self.ids), image_id=image_id, category_id=category_id)

    def _geometry(self, entry: Entry, image: dict[str, Any]) -> None:
        record, width, height = entry.record, image['width'], image['height']
        check_box(entry, width, height)
        x, y, w, h = record['bbox']
        if min(x, y, width - x - w, height - y - h) < -MARGIN:
            self.notes[OUTSIDE] += 1
        if w < 1 or h < 1 or min(x + w, width) <= max(x, 0) or min(y + h, height) <= max(y, 0):
            self.notes[TINY] += 1
        if self.with_masks:
            check_mask(entry, width, height, self.notes)
        area = record.get('area')
        if type(area) not in NUMBERS or not 0 < area <= w * h + width * height:
            self.notes[AREA] += 1
            record['area'] = (self.with_masks and mask_area(record['segmentation'], width, height)) or w * h


def check_box(entry: Entry, width: int, height: int) -> None:
    """Checks that ``bbox`` is a box in or near the image.

    Raises:
        InputError: It is not.
    """
    box = entry.record.get('bbox')
    if not isinstance(box, list) or len(box) != 4 or not set(map(type, box)) <= NUMBERS:
        entry.refuse('bbox', 'four numbers: x, y, width and height in pixels')
    x, y, w, h = box
    if not (w >= 0 and h >= 0):
        entry.refuse('bbox', 'x, y, width and height, the latter two not negative')
    if not (-width <= x <= width and -height <= y <= height and 0 <= x + w <= 2 * width and 0 <= y + h <= 2 * height):
        entry.refuse('bbox', f'x, y, width and height in pixels of an image of {width} x {height}')


def _annotations(
    path: str,
    content: dict[str, Any],
    notes: Counter[str],
    images: dict[int | str, dict[str, Any]],
    categories: dict[int | str, dict[str, Any]],
    with_masks: bool,
) -> list[dict[str, Any]]:
    reader = _Annotations(images, categories, with_masks, notes)
    given = [reader.read(entry) for entry in _entries(path, content, 'annotations')]
    kept = [record for record in given if record is not None]
    if given and notes[TINY] == len(kept):
        raise InputError(
            f'none of the {len(given)} annotations of {path} covers a pixel of an image of the file; give boxes in pixels '
            '(not in relative coordinates), and the images of the annotations'
        )
    for note in (AREA, TINY, PARTS, BEYOND):
        if notes[note] * 1000 <= len(kept):  # COCO itself has a few
            del notes[note]
    return kept
