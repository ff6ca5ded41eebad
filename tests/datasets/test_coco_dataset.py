import json
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.datasets import CocoDataset
from auglocal_mm.errors import InputError

WITH_MASKS = [dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)]


def build(tmp_path: Path, given: Any, **settings: Any) -> CocoDataset:
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(given))
    defaults = dict(metainfo=dict(classes=('cat', 'dog')), pipeline=WITH_MASKS, data_prefix=dict(img='images/'))
    return CocoDataset(ann_file=str(path), **{**defaults, **settings})


def annotations(**changes: Any) -> dict[str, Any]:
    box = dict(id=1, image_id=1, category_id=2, bbox=[1, 1, 8, 8], area=64, iscrowd=0)
    return {
        'images': [dict(id=1, file_name='a.jpg', width=20, height=20)],
        'annotations': [{**box, 'segmentation': [[1, 1, 9, 1, 9, 9]]}],
        'categories': [dict(id=1, name='cat'), dict(id=2, name='dog'), dict(id=3, name='emu')],
        **changes,
    }


def test_annotations_can_have_more_classes_than_the_config(tmp_path):
    dataset = build(tmp_path, annotations())
    assert [each['bbox_label'] for each in dataset.get_data_info(0)['instances']] == [1]


def test_a_file_for_testing_needs_no_annotations(tmp_path):
    given = annotations()
    del given['annotations']
    assert len(build(tmp_path, given, test_mode=True)) == 1


BOX = annotations()['annotations'][0]


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        (annotations(categories=[dict(id=2, name='dog')]), r"1 of the 2 classes.*'cat'"),
        (annotations(annotations=[]), r'\b1 images.*\bbox'),
        (annotations(annotations=[{**BOX, 'ignore': 1}]), r'\b1 images.*\bbox'),
        (annotations(images=[], annotations=[]), r'\b0 images'),
        (annotations(annotations=[{**BOX, 'segmentation': None}]), r'.*\bNone\b.*polygons'),
    ],
    ids=lambda given: given if isinstance(given, str) else '',
)
def test_annotations_without_a_usable_box_mask_or_class_are_refused(tmp_path, given, words):
    with pytest.raises(InputError, match=rf'annotations\.json\b.*{words}'):
        build(tmp_path, given)


def test_a_folder_of_images_must_be_named(tmp_path):
    with pytest.raises(InputError, match=r"data_prefix.*\bimg='"):
        build(tmp_path, annotations(), data_prefix={})


def test_images_below_the_smallest_size_are_counted(tmp_path):
    images = [dict(id=index, file_name=f'{index}.jpg', width=20 * index, height=20) for index in (1, 2)]
    filters = dict(filter_empty_gt=False, min_size=20)
    dataset = build(tmp_path, annotations(images=images), filter_cfg=filters)
    assert len(dataset) == 2 and not dataset.notes, 'images without objects are not worth a note'
    images[0]['height'] = 19
    dataset = build(tmp_path, annotations(images=images), filter_cfg=filters)
    assert len(dataset) == 1 and list(dataset.notes.values()) == [1] and 'min_size=20' in next(iter(dataset.notes))


def test_a_filter_that_leaves_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'annotations\.json\b.*filter_cfg.*min_size'):
        build(tmp_path, annotations(), filter_cfg=dict(filter_empty_gt=True, min_size=32))
