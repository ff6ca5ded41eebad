import shutil

import pytest
from mmengine.runner import Runner

from auglocal_mm.errors import InputError


def test_validation_data_with_other_classes_are_refused(tiny_config, image_folder):
    shutil.rmtree(image_folder / 'val' / 'dog')
    with pytest.raises(InputError, match='3 classes and the validation data 2, and they differ in dog'):
        Runner.from_cfg(tiny_config('bp')).train()


def test_less_than_a_batch_is_refused(tiny_config):
    with pytest.raises(InputError, match='have 24 images, which do not fill one batch of 1 processes with 25 each'):
        Runner.from_cfg(tiny_config('bp', **{'train_dataloader.batch_size': 25})).train()


def test_validation_data_with_more_classes_are_refused(tiny_config, image_folder):
    shutil.copytree(image_folder / 'val' / 'dog', image_folder / 'val' / 'ant')
    with pytest.raises(InputError, match='3 classes and the validation data 4, and they differ in ant'):
        Runner.from_cfg(tiny_config('bp')).train()


def test_test_data_must_have_the_models_classes(tiny_config, image_folder):
    shutil.rmtree(image_folder / 'val' / 'dog')
    with pytest.raises(InputError, match='the test data have 2 classes, but num_classes of the model is 3'):
        Runner.from_cfg(tiny_config('bp')).test()


def test_test_data_must_have_the_classes_that_the_checkpoint_was_trained_on(tiny_config, image_folder):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    shutil.move(image_folder / 'val' / 'cat', image_folder / 'val' / 'fox')
    with pytest.raises(InputError, match='3 classes and the test data 3, and they differ in cat'):
        Runner.from_cfg(tiny_config('bp', load_from=f'{config.work_dir}/epoch_1.pth')).test()
