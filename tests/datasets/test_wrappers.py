import pytest
from mmengine.registry import DATASETS, DefaultScope
from tests_coco import read, scenes, write_scenes
from torch.utils.data import Subset

from auglocal_mm.datasets.wrappers import ConcatDataset, RepeatDataset, inner_datasets
from auglocal_mm.errors import InputError


@pytest.fixture
def build(image_folder):
    """Builds the data set of a config, in which ``inner`` stands for a folder of images that are cropped at random."""
    inner = dict(
        type='ImageFolder',
        data_root=str(image_folder),
        split='train',
        transforms=[dict(type='RandomCrop', size=32, padding=16)],
    )
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        yield lambda **config: DATASETS.build({'dataset': inner, **config}), inner


def pixels(dataset, *indices):
    return [dataset[index]['inputs'].tolist() for index in indices]


def test_each_repetition_has_a_new_augmentation_and_the_first_that_of_the_inner_data_set(build):
    make, inner = build
    plain, repeated = DATASETS.build(inner), make(type='RepeatDataset', times=3)
    assert len(repeated) == 3 * len(plain) == 72
    assert repeated.metainfo['classes'] == ('cat', 'dog', 'emu')
    assert pixels(repeated, 5) == pixels(plain, 5)
    first, second, third = pixels(repeated, 5, 29, 53)
    assert first != second != third != first
    assert pixels(repeated, 5, 29, 53) == [first, second, third], 'the same in every pass of one epoch'
    for each in inner_datasets(repeated):
        each.set_epoch(0, 1)
    assert pixels(repeated, 5, 29) != [first, second]


def test_joined_data_sets_give_the_same_images_as_alone(build):
    _, inner = build
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=[inner, inner]))
    assert len(joined) == 48
    plain = DATASETS.build(inner)
    assert pixels(joined, 3, 27) == pixels(plain, 3, 3)
    assert [joined[index]['data_samples'] for index in (0, 23, 24, 47)] == [0, 2, 0, 2]
    assert len([*inner_datasets(joined)]) == 2


def test_rare_classes_are_repeated_with_new_augmentations(build, image_folder):
    for number in range(2, 8):
        (image_folder / 'train' / 'dog' / f'{number}.png').unlink()
    make, inner = build
    balanced = make(type='ClassBalancedDataset', oversample_thr=0.4)
    labels = [balanced[index]['data_samples'] for index in range(len(balanced))]
    assert [labels.count(label) for label in range(3)] == [8, 4, 8]
    first, again = pixels(balanced, 8, 9)
    assert first != again
    assert pixels(DATASETS.build(inner), 8) == [first]


def test_nested_wrappers_augment_every_repetition_differently(build):
    make, inner = build
    nested = make(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', times=2, dataset=inner), inner]),
    )
    crops = pixels(nested, 0, 24, 72, 96)
    assert len({str(crop) for crop in crops}) == 4
    assert len([*inner_datasets(nested)]) == 2
    balanced = DATASETS.build(
        dict(
            type='ClassBalancedDataset', oversample_thr=0.1, dataset=dict(type='ConcatDataset', datasets=[inner, inner])
        )
    )
    assert len(balanced) == 48


def test_joined_data_sets_must_have_the_same_classes(build):
    _, inner = build
    with pytest.raises(InputError, match=r'ConcatDataset\b.*\bclasses\b'):
        DATASETS.build(dict(type='ConcatDataset', datasets=[inner, {**inner, 'split': ''}]))


def test_detection_data_are_wrapped_too(tmp_path):
    dataset = read(write_scenes(tmp_path, scenes()))
    joined, repeated = ConcatDataset([dataset, dataset]), RepeatDataset(dataset, times=2)
    assert joined.get_data_info(5) == repeated.get_data_info(5) == dataset.get_data_info(2)
    assert [*inner_datasets(Subset(joined, [0]))] == [dataset, dataset]
    assert [*inner_datasets(repeated)] == [dataset]
