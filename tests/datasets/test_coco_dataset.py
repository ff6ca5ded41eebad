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


def test_annotations_of_more_classes_than_the_configs_are_taken(tmp_path):
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
        (annotations(categories=[dict(id=2, name='dog')]), 'has 1 of the 2 classes of the config'),
        (annotations(annotations=[]), 'has 1 images and no box'),
        (annotations(annotations=[{**BOX, 'ignore': 1}]), 'has 1 images and no box'),
        (annotations(images=[], annotations=[]), 'has 0 images'),
        (annotations(annotations=[{**BOX, 'segmentation': None}]), 'is None, expected a list of polygons'),
    ],
    ids=lambda given: given if isinstance(given, str) else '',
)
def test_what_would_be_trained_on_wrongly_is_refused(tmp_path, given, words):
    with pytest.raises(InputError, match=f'annotations.json {words}'):
        build(tmp_path, given)


def test_a_folder_of_images_must_be_named(tmp_path):
    with pytest.raises(InputError, match='data_prefix of the data set has no img'):
        build(tmp_path, annotations(), data_prefix={})


def test_images_below_the_smallest_size_are_counted(tmp_path):
    images = [dict(id=number, file_name=f'{number}.jpg', width=20 * number, height=20) for number in (1, 2)]
    filters = dict(filter_empty_gt=False, min_size=20)
    dataset = build(tmp_path, annotations(images=images), filter_cfg=filters)
    assert len(dataset) == 2 and not dataset.notes, 'images without objects are ordinary'
    images[0]['height'] = 19
    dataset = build(tmp_path, annotations(images=images), filter_cfg=filters)
    assert len(dataset) == 1 and dataset.notes == {'images are smaller than min_size=20, and left out of training': 1}


def test_a_filter_that_leaves_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match=r'no image of .* passes filter_cfg=.*min_size'):
        build(tmp_path, annotations(), filter_cfg=dict(filter_empty_gt=True, min_size=32))
