from collections import Counter

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from auglocal_mm.datasets.coco_entry import Entry
from auglocal_mm.datasets.coco_masks import BEYOND, PARTS, check_mask, mask_area
from auglocal_mm.errors import InputError

WIDTH, HEIGHT = 40, 30
SQUARE = [5, 5, 15, 5, 15, 15, 5, 15]


def checked(mask, box=(5, 5, 10, 10)) -> tuple[Entry, Counter[str]]:
    entry, notes = Entry('a.json', 'annotations', 3, {'segmentation': mask, 'bbox': list(box)}), Counter()
    check_mask(entry, WIDTH, HEIGHT, notes)
    return entry, notes


def run_lengths(packed: bool) -> dict:
    """The square, column by column."""
    if not packed:
        return {'size': [HEIGHT, WIDTH], 'counts': [5 * HEIGHT + 5, *[10, 20] * 9, 10, 15 + 25 * HEIGHT]}
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order='F')
    pixels[5:15, 5:15] = 1
    mask = coco_mask.encode(pixels)
    return {**mask, 'counts': mask['counts'].decode()}


@pytest.mark.parametrize('mask', [[SQUARE], run_lengths(packed=False), run_lengths(packed=True)])
def test_the_same_mask_in_any_form_passes_and_has_one_area(mask):
    entry, notes = checked(mask)
    assert not notes
    assert mask_area(entry.record['segmentation'], WIDTH, HEIGHT) == 100


def test_parts_that_are_lines_are_left_out_and_counted():
    entry, notes = checked([SQUARE, [6, 6, 9, 9]])
    assert entry.record['segmentation'] == [SQUARE]
    assert notes == {PARTS: 1}


def test_a_mask_larger_than_its_box_is_counted():
    assert checked([SQUARE], box=(5, 5, 10, 4))[1] == {BEYOND: 1}


@pytest.mark.parametrize(
    ('mask', 'expected'),
    [
        ([], 'polygons'),
        (SQUARE, 'polygons'),
        ([[*SQUARE, 7]], 'polygons'),
        ([[5, 5, 1e9, 5, 5, 9]], 'polygons'),
        ([[5, 5, '9', 5, 5, 9]], 'polygons'),
        ([[30, 5, 38, 5, 38, 15]], 'box [5, 5, 10, 10]'),
        ([[5, 5, 15, 5, 9, 5]], 'not empty'),
        ({**run_lengths(packed=False), 'size': [WIDTH, HEIGHT]}, '40 x 30'),
        ({'size': [HEIGHT, WIDTH], 'counts': [100, 100]}, '40 x 30'),
        ({'size': [HEIGHT, WIDTH], 'counts': run_lengths(packed=True)['counts'][:-1]}, '40 x 30'),
    ],
)
def test_other_masks_are_refused(mask, expected):
    with pytest.raises(InputError) as caught:
        checked(mask)
    assert 'annotations[3].segmentation of a.json' in str(caught.value)
    assert expected in str(caught.value).partition('expected')[2]
