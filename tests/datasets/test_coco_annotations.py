import pytest
from tests_coco import read, scenes, taught, write_scenes

from auglocal_mm.datasets import coco_annotations
from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.errors import InputError


def test_a_class_must_be_the_name_of_one_category(tmp_path):
    content = scenes()
    content['categories'][2]['name'] = 'cat'
    annotations = CocoAnnotations(write_scenes(tmp_path, content))
    assert annotations.get_cat_ids(['dog']) == [2]
    for names, word in (
        (['dog', 'cat'], "'cat' is expected once"),
        (['owl'], "'owl'"),
        ('dog', "'dog', expected a tuple"),
    ):
        with pytest.raises(InputError, match=word):
            annotations.get_cat_ids(names)


def test_what_is_ignored_or_reaches_out_is_said_aloud(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(coco_annotations, 'print_log', lambda message, **_: said.append(message))
    content = scenes()
    content['annotations'][0]['ignore'] = '1'
    content['annotations'][1]['bbox'] = [70, 10, 40, 40]
    path = write_scenes(tmp_path, content)
    dataset = read(path, pipeline=[])
    assert len(taught(dataset)) == 7
    notes = ' '.join(dataset.notes) + ' '.join(CocoAnnotations(path, with_masks=True).notes)
    assert 'masks reach out of their boxes' in notes
    assert 'marked "ignore"' in notes and 'reach out of their images' in notes
    read(path, pipeline=[])
    assert said.count(f'{path}: 1 boxes reach out of their images (expected are x, y, width and height).') == 1, 'once'
