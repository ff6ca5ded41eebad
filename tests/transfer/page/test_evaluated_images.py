import json
import os

import pytest
from PIL import Image
from tests_coco import SIZES

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_record import read_evaluations, write_evaluations
from auglocal_mm.transfer.page.evaluated_images import find_images
from auglocal_mm.transfer.recorded_matches import read_matches
from auglocal_mm.transfer.transfer_result import read_work_dir


@pytest.fixture
def work_dir(make_evaluated):
    return make_evaluated('bp')


def find(work_dir, change=None, run='validation'):
    """The images, after a change of the settings, recorded as a validation or as a test."""
    kept = read_evaluations(work_dir)
    record = kept.validation
    if change is not None:
        change(record.settings)
    write_evaluations(work_dir, kept.model_copy(update={'validation': None, run: record}))
    result = read_work_dir(work_dir)
    return find_images(result, read_matches(work_dir, result.matches))


def refused(work_dir, change=None):
    with pytest.raises(InputError) as caught:
        find(work_dir, change)
    return str(caught.value)


def test_images_and_objects(work_dir, capsys):
    images = find(work_dir)
    assert [images.name(each) for each in SIZES] == ['1.png', '2.png', '3.png']
    assert [images.read(each).shape[1:] for each in SIZES] == [(height, width) for width, height in SIZES.values()]
    assert [len(images.objects(each)) for each in SIZES] == [2, 3, 3]
    assert images.read(2)[:, 0, 0].tolist() == [80, 90, 120]
    assert capsys.readouterr().out == ''


def wrap(settings):
    settings['val_dataloader']['dataset'] = {
        'type': 'ClassBalancedDataset',
        'dataset': settings['val_dataloader']['dataset'],
    }


def relative(settings):
    dataset = settings['val_dataloader']['dataset']
    dataset['data_root'] = os.path.relpath(dataset['data_root'])


def without_root(settings):
    dataset = settings['val_dataloader']['dataset']
    root = dataset.pop('data_root')
    dataset.update(ann_file=f'{root}/annotations.json', data_prefix={'img': f'{root}/images'})


def of_evaluator(settings):
    dataset = settings['val_dataloader']['dataset']
    settings['val_evaluator'] = {'ann_file': f'{dataset["data_root"]}/annotations.json'}
    dataset['ann_file'] = 'other.json'


@pytest.mark.parametrize('change', [wrap, relative, without_root, of_evaluator])
def test_settings_name_them_in_several_ways(work_dir, change):
    assert find(work_dir, change).read(1).shape == (3, 60, 80)


def test_a_test_has_a_loader_of_its_own(work_dir):
    def rename(settings):
        settings['test_dataloader'] = settings.pop('val_dataloader')

    assert find(work_dir, rename, run='test').read(1).shape == (3, 60, 80)


def test_images_that_are_not_there_any_more(work_dir):
    images = work_dir / 'images'
    images.rename(work_dir / 'moved')
    error = refused(work_dir)
    assert str(images) in error and str(work_dir) in error


@pytest.mark.parametrize('key', ['ann_file', 'data_prefix'])
def test_settings_that_name_none(work_dir, key):
    error = refused(work_dir, lambda settings: settings['val_dataloader']['dataset'].pop(key))
    assert f'val_dataloader.dataset.{key}' in error and 'None' in error


def add_object(content):
    content['annotations'].append({**content['annotations'][0], 'id': 900})


def drop_image(content):
    content['images'].pop()
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != 3]


def drop_category(content):
    content['categories'] = [each for each in content['categories'] if each['id'] != 1]
    content['annotations'] = [each for each in content['annotations'] if each['category_id'] != 1]


@pytest.mark.parametrize('change', [add_object, drop_image, drop_category])
def test_annotations_that_have_changed(work_dir, change):
    path = work_dir / 'annotations.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    error = refused(work_dir)
    assert str(path) in error and 'other images or objects' in error


def test_an_image_of_another_size(work_dir):
    Image.new('RGB', (10, 10)).save(work_dir / 'images' / '1.png')
    images = find(work_dir)
    with pytest.raises(InputError, match=r'1\.png is 10 pixels'):
        images.read(1)
