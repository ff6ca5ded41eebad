"""Checks the data before the first iteration."""

import functools
import logging
import os
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from auglocal_mm.engine.last_batch import check_last_batch
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Refuses data that do not fit the model or are not all there, and counts images that were skipped."""

    def __init__(self) -> None:
        self.trained_on: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Checks the training data.

        Raises:
            InputError: Less than a batch, a last batch of one image that cannot be trained on, another number of classes than
                the model's, other classes in the validation data, or images of the annotations that do not exist.
        """
        dataset = runner.train_dataloader.dataset
        if not len(runner.train_dataloader):
            raise InputError(
                f'the training data have {len(dataset)} images, which do not fill one batch of {get_world_size()} processes '
                f'with {runner.train_dataloader.batch_size} each: nothing would be trained; set train_dataloader.batch_size to '
                'fewer'
            )
        model = unwrapped(runner.model)
        check_classes(dataset, model)
        check_last_batch(runner)
        validation = [] if runner.val_loop is None else [runner.val_loop.dataloader.dataset]
        for other in validation:
            _compare_classes(_classes(dataset), _classes(other), 'validation')
        for each in (dataset, *validation):
            if hasattr(each, 'get_data_info'):
                _check_images(each)

    def before_test(self, runner: Runner) -> None:
        """Checks the test data.

        Raises:
            InputError: Another number of classes than the model's, or other classes than the checkpoint's.
        """
        model = unwrapped(runner.model)
        dataset = runner.test_loop.dataloader.dataset
        check_classes(dataset, model, 'test')
        _compare_classes(self.trained_on, _classes(dataset), 'test')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remembers what the checkpoint was trained on."""
        self.trained_on = list((checkpoint.get('meta', {}).get('dataset_meta') or {}).get('classes') or ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Says how many corrupt images were skipped so far."""
        skipped = getattr(runner.train_dataloader.dataset, 'num_skipped', 0)
        if skipped:
            print_log(
                f'{skipped} corrupt training images were skipped so far.', logger='current', level=logging.WARNING
            )


def check_classes(dataset: Any, model: Any, name: str = 'training') -> None:
    """Makes sure that the model has as many classes as the data.

    Raises:
        InputError: It has not.
    """
    classes = getattr(dataset, 'metainfo', {}).get('classes')
    for key in ('head', 'roi_head.bbox_head', 'roi_head.mask_head'):
        head = functools.reduce(lambda part, attribute: getattr(part, attribute, None), key.split('.'), model)
        expected = getattr(head, 'num_classes', None)
        if classes is not None and expected is not None and len(classes) != expected:
            raise InputError(
                f'the {name} data have {len(classes)} classes, but num_classes of the model is {expected} (model.{key}); '
                f'set it to {len(classes)}, or point to the right data'
            )


def _compare_classes(ours: list[str], theirs: list[str], name: str) -> None:
    if ours and theirs and ours != theirs:
        different = sorted(set(ours) ^ set(theirs)) or ['their order']
        raise InputError(
            f'the training data have {len(ours)} classes and the {name} data {len(theirs)}, and they differ in '
            f'{different[0]}: labels would mean other things; put the missing folders there, or point to the right data'
        )


def _classes(dataset: Any) -> list[str]:
    return list(getattr(dataset, 'metainfo', {}).get('classes') or ())


def _check_images(dataset: Any) -> None:
    paths = (dataset.get_data_info(index)['img_path'] for index in range(len(dataset)))
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f'{len(missing)} of {len(dataset)} images of the annotations {dataset.ann_file} do not exist, the first is '
            f'{missing[0]}; set data_root and data_prefix to the folder that holds them'
        )
