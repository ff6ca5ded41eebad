"""Annotation files that mean the same train and evaluate the same; files that mean something else are refused."""

import copy
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests_coco import measure, read, scenes, taught, write_scenes

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.datasets.coco_file import AREA, TINY, read_annotations
from auglocal_mm.datasets.coco_masks import PARTS
from auglocal_mm.errors import InputError

Change = Callable[[dict[str, Any]], Any]


def each(key: str, name: str, convert: Callable[[Any], Any]) -> Change:
    """Changes one value of every record."""

    def change(content: dict[str, Any]) -> None:
        for record in content[key]:
            record[name] = convert(record[name])

    return change


def without(name: str) -> Change:
    return lambda content: [record.pop(name) for record in content['annotations']] and None


def first(name: str, value: Any, key: str = 'annotations') -> Change:
    return lambda content: content[key][0].update({name: value})


def all_ids(convert: Callable[[int], Any]) -> Change:
    def change(content: dict[str, Any]) -> None:
        for key, name in (('images', 'id'), ('annotations', 'image_id'), ('annotations', 'category_id')):
            each(key, name, convert)(content)

    return change


def several(*changes: Change) -> Change:
    return lambda content: [change(content) for change in changes] and None


@pytest.fixture(scope='module')
def clean(tmp_path_factory) -> tuple[list[Any], dict[str, float]]:
    """The training targets of the clean file, and the metrics by it."""
    path = write_scenes(tmp_path_factory.mktemp('clean'), scenes())
    annotations = CocoAnnotations(path, with_masks=True)
    assert not annotations.notes, 'a clean file needs no note'
    return taught(read(path)), measure(path)


def test_the_fixed_detections_are_neither_all_right_nor_all_wrong(clean):
    assert 0.3 < clean[1]['coco/bbox_mAP'] < 0.95
    assert clean[1]['coco/dog_precision'] != clean[1]['coco/cat_precision']


SAME: dict[str, tuple[Change, str]] = {
    'categories in another order': (lambda content: content['categories'].reverse(), ''),
    'categories under other ids': (
        several(
            each('categories', 'id', {1: 900, 2: 5, 7: 6}.get), each('annotations', 'category_id', {1: 900, 2: 5}.get)
        ),
        '',
    ),
    'annotations in another order': (lambda content: content['annotations'].reverse(), ''),
    'annotations from 0 on': (each('annotations', 'id', lambda number: number - 11), ''),
    'ids as text': (all_ids(str), 'have image_id as text'),
    'ids of annotations as text': (each('annotations', 'image_id', str), 'have image_id as text'),
    'ids of images as text': (each('images', 'id', str), 'have id as text'),
    'ids as floats': (all_ids(float), ''),
    'iscrowd as text': (each('annotations', 'iscrowd', str), 'have iscrowd as text'),
    'iscrowd as a boolean': (each('annotations', 'iscrowd', bool), ''),
    'areas of 0': (first('area', 0), AREA),
    'areas that are missing': (without('area'), AREA),
    'areas as text': (each('annotations', 'area', str), AREA),
    'areas beyond the image': (each('annotations', 'area', lambda area: 1e12), AREA),
    'orphans': (
        lambda content: content['annotations'].extend(
            {**scenes()['annotations'][0], 'id': 90 + n, 'image_id': 77} for n in (1, 2)
        ),
        'belong to no image',
    ),
    'parts of polygons that are points': (
        lambda content: content['annotations'][0]['segmentation'].insert(0, [3, 4, 5, 6]),
        PARTS,
    ),
    'sizes as floats': (several(each('images', 'width', float), each('images', 'height', float)), ''),
}


@pytest.mark.parametrize(('change', 'note'), SAME.values(), ids=SAME)
def test_variants_of_the_clean_file_train_and_evaluate_the_same(change, note, clean, tmp_path):
    content = scenes()
    change(content)
    path = write_scenes(tmp_path, content)
    dataset = read(path)
    assert sorted(taught(dataset)) == sorted(clean[0])
    assert measure(path) == clean[1]
    assert note in ' '.join(dataset.notes), 'the repair is noted'
    assert bool(note) == bool(dataset.notes), 'and nothing else'


def test_a_missing_iscrowd_is_a_single_object(clean, tmp_path):
    content = scenes()
    without('iscrowd')({'annotations': content['annotations'][:-1]})
    path = write_scenes(tmp_path, content)
    assert taught(read(path)) == clean[0]
    assert measure(path) == clean[1]


def test_ids_of_images_can_be_names(clean, tmp_path):
    names = {1: 'left', 2: '2', 3: '003'}
    content = scenes()
    each('images', 'id', names.get)(content)
    each('annotations', 'image_id', names.get)(content)
    path = write_scenes(tmp_path, content)
    dataset = read(path)
    assert taught(dataset) == clean[0] and not dataset.notes
    assert measure(path, ids=names) == clean[1]


@pytest.mark.parametrize('encode', [lambda text: b'\xef\xbb\xbf' + text.encode(), lambda text: text.encode()])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(encode, tmp_path):
    content = scenes()
    content['images'][0]['file_name'] = 'Z\u00fcrich.png'
    path = write_scenes(tmp_path, encode(json.dumps(content, ensure_ascii=False)))
    assert CocoAnnotations(path).imgs[1]['file_name'] == 'Z\u00fcrich.png'


TEXT = json.dumps(scenes())
FILES: dict[str, tuple[Any, str]] = {
    'a list': ([], r'\blist\b.*images, annotations and categories'),
    'nothing': ('', 'JSON.*line 1 column 1'),
    'cut off': (TEXT[:-40], 'JSON.*line 1 column'),
    'Latin-1': ('{"info": "Zürich"}'.encode('latin-1'), 'UTF-8.*0xfc'),
    'UTF-16': (TEXT.encode('utf-16'), 'UTF-8.*0xff'),
    'deep': ('[' * 100_000, 'JSON.*(recursion|nested)'),
    'an endless number': (TEXT.replace('[2, 3, 20, 30]', '[2, 3, 1e999, 30]', 1), r'bbox .* inf'),
    'NaN': (TEXT.replace('"area": 600', '"area": NaN', 1), 'NaN'),
    'a key twice': (TEXT.replace('"area": 600', '"area": 600, "area": 5', 1), "'area'"),
    'no images': ({'annotations': [], 'categories': []}, 'images None'),
    'images by id': ({**scenes(), 'images': {'1': {}}}, 'images {'),
    'a record that is a number': ({**scenes(), 'annotations': [5]}, r'annotations\[0\]'),
    'no categories': ({**scenes(), 'categories': []}, r'annotations\[0\].category_id .* is 1'),
}


@pytest.mark.parametrize(('content', 'words'), FILES.values(), ids=FILES)
def test_other_files_are_refused(content, words, tmp_path):
    with pytest.raises(InputError, match=words):
        CocoAnnotations(write_scenes(tmp_path, content))


def masks(*segmentation: Any) -> tuple[Change, str]:
    (value,) = segmentation
    return first('segmentation', value), r'annotations\[0\]\.segmentation\b'


def runs(**values: Any) -> tuple[Change, str]:
    return lambda content: content['annotations'][-1]['segmentation'].update(
        values
    ), r'annotations\[7\]\.segmentation\b'


REFUSED: dict[str, tuple[Change, str]] = {
    'image ids twice': (first('id', 2, 'images'), r'images\[1\].id .* is 2'),
    'an image twice': (first('file_name', '2.png', 'images'), r"images\[1\].file_name .* is '2.png'"),
    'annotation ids twice': (first('id', 12), r'annotations\[1\].id .* is 12'),
    'category ids twice': (first('id', 2, 'categories'), r'categories\[1\].id .* is 2'),
    'an unknown category': (first('category_id', 3), r'annotations\[0\].category_id .* is 3'),
    'a category without a name': (first('name', None, 'categories'), r'categories\[0\].name .* is None'),
    'no file name': (first('file_name', '', 'images'), r'images\[0\].file_name'),
    'no width': (first('width', None, 'images'), r'images\[0\].width .* is None'),
    'a height below 0': (first('height', -60, 'images'), r'images\[0\].height .* is -60'),
    'a width as text': (first('width', '80', 'images'), r"images\[0\].width .* is '80'"),
    'an id that is null': (first('image_id', None), r'annotations\[0\].image_id .* is None'),
    'an id that is a boolean': (first('category_id', True), r'annotations\[0\].category_id .* is True'),
    'an id between': (first('image_id', 1.5), r'annotations\[0\].image_id .* is 1.5'),
    'an id that is a list': (first('id', [1]), r'annotations\[0\].id .* is \[1\]'),
    'iscrowd of 2': (first('iscrowd', 2), r'annotations\[0\].iscrowd .* is 2'),
    'iscrowd of a list': (first('iscrowd', []), r'annotations\[0\].iscrowd'),
    'no box': (first('bbox', None), r'annotations\[0\].bbox .* is None'),
    'a box of 3 numbers': (first('bbox', [1, 2, 3]), r'bbox .* \[1, 2, 3\]'),
    'a box of text': (first('bbox', ['1', '2', '3', '4']), r"bbox .*\['1', '2'"),
    'a box with null': (first('bbox', [1, 2, 3, None]), r'bbox .*\[1, 2, 3, None\]'),
    'a box of booleans': (first('bbox', [True, 2, 3, 4]), r'bbox .*\[True, 2, 3, 4\]'),
    'a negative box': (first('bbox', [5, 5, -3, 4]), r'annotations\[0\].bbox .*\[5, 5, -3, 4\]'),
    'a box far away': (first('bbox', [1e9, 5, 3, 4]), 'bbox .* 80 x 60'),
    'a box beside the image': (first('bbox', [81, 5, 3, 4]), 'bbox .* 80 x 60'),
    'polygons of points': masks([[2, 3], [22, 3], [22, 33]]),
    'a polygon that is a box': masks([[2, 3, 20, 30]]),
    'a flat polygon': masks([2, 3, 22, 3, 22, 33]),
    'nested points': masks([[[2, 3], [22, 3], [22, 33]]]),
    'an odd polygon': masks([[2, 3, 22, 3, 22, 33, 5]]),
    'a polygon of text': masks([['2', '3', '22', '3', '22', '33']]),
    'a polygon far away': masks([[2, 3, 1e9, 3, 22, 33]]),
    'a polygon in relative coordinates': masks([[0.1, 0.1, 0.2, 0.1, 0.2, 0.2]]),
    'a polygon of one point': masks([[4, 4, 4, 4, 4, 4]]),
    'no polygon': masks([]),
    'no mask': masks(None),
    'a mask as text': masks('2 3 22 3 22 33'),
    'runs of another size': runs(size=[70, 71]),
    'runs without a size': runs(size=None),
    'runs that are garbage': runs(counts='zzzz\u00e9'),
    'runs that are cut off': runs(counts=scenes()['annotations'][-1]['segmentation']['counts'][:-3]),
    'runs that are negative': runs(counts=[-1, 4901]),
    'runs that are too long': runs(counts=[100, 4801]),
    'runs that are empty': runs(counts=[4900]),
}


@pytest.mark.parametrize(('change', 'words'), REFUSED.values(), ids=REFUSED)
def test_records_that_mean_something_else_are_refused(change, words, tmp_path):
    content = scenes()
    change(content)
    with pytest.raises(InputError, match=words):
        CocoAnnotations(write_scenes(tmp_path, content), with_masks=True)


def test_run_lengths_can_be_packed_or_numbers(clean, tmp_path):
    content = scenes()
    content['annotations'][-1]['segmentation']['counts'] = [390, *[25, 45] * 29, 25, 2455]
    path = write_scenes(tmp_path, content)
    assert measure(path) == clean[1]


def test_unused_masks_are_not_checked(clean, tmp_path):
    content = scenes()
    content['annotations'][0]['segmentation'] = [5]
    path = write_scenes(tmp_path, content)
    assert taught(read(path, pipeline=[])) == clean[0]
    figures = measure(path, metric='bbox')
    assert figures == {name: clean[1][name] for name in figures}


def test_tiny_boxes_are_noted_unless_they_are_few(tmp_path):
    content = scenes()
    content['annotations'][0]['bbox'] = [2, 3, 0.4, 30]
    dataset = read(write_scenes(tmp_path, content))
    assert len(taught(dataset)) == 7
    assert dataset.notes[TINY] == 1
    many = [{**copy.deepcopy(content['annotations'][3]), 'id': 100 + each} for each in range(2000)]
    content['annotations'] += many
    assert not CocoAnnotations(write_scenes(tmp_path, content)).notes, 'as in COCO itself'


def test_boxes_in_relative_coordinates_are_refused(tmp_path):
    content = scenes()
    each('annotations', 'bbox', lambda box: [number / 100 for number in box])(content)
    with pytest.raises(InputError, match=r'\b8 annotations\b.*\bpixels\b'):
        CocoAnnotations(write_scenes(tmp_path, content))


def test_annotations_of_other_images_are_refused(tmp_path):
    content = scenes()
    each('annotations', 'image_id', lambda number: number + 50)(content)
    with pytest.raises(InputError, match=r'\b8 annotations\b'):
        CocoAnnotations(write_scenes(tmp_path, content))


def test_garbage_collection_is_back_after_any_file(tmp_path):
    (tmp_path / 'a.json').write_text('{')
    with pytest.raises(InputError, match=r'a\.json\b.*JSON'):
        read_annotations(str(tmp_path / 'a.json'))
    assert gc.isenabled()
