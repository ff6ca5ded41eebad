import pytest
from tests_coco import read, scenes, taught, write_scenes

from auglocal_mm.datasets import coco_annotations
from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.datasets.coco_file import OUTSIDE
from auglocal_mm.datasets.coco_masks import BEYOND
from auglocal_mm.errors import InputError


def test_a_class_must_be_the_name_of_one_category(tmp_path):
    content = scenes()
    content['categories'][2]['name'] = 'cat'
    annotations = CocoAnnotations(write_scenes(tmp_path, content))
    assert annotations.get_cat_ids(['dog']) == [2]
    for names, words in (
        (['dog', 'cat'], "'cat'.*metainfo.classes"),
        (['owl'], r'\b0 of the 1\b.*\'owl\'.*metainfo\.classes'),
        ('dog', r"metainfo\.classes.*'dog'.*\('dog',\)"),
    ):
        with pytest.raises(InputError, match=words):
            annotations.get_cat_ids(names)


def test_ignored_annotations_and_boxes_beyond_the_image_are_logged(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(coco_annotations, 'print_log', lambda message, **_: logged.append(message))
    content = scenes()
    content['annotations'][0]['ignore'] = '1'
    content['annotations'][1]['bbox'] = [70, 10, 40, 40]
    path = write_scenes(tmp_path, content)
    dataset = read(path, pipeline=[])
    assert len(taught(dataset)) == 7
    notes = ' '.join(dataset.notes) + ' '.join(CocoAnnotations(path, with_masks=True).notes)
    assert BEYOND in notes and 'marked "ignore"' in notes and OUTSIDE in notes
    read(path, pipeline=[])
    assert logged.count(f'{path}: 1 {OUTSIDE}.') == 1, 'once'
