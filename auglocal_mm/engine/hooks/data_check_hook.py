"""Checks the data before the first iteration."""

import functools
import logging
import os
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from auglocal_mm.datasets.image_size import check_size, image_size
from auglocal_mm.datasets.wrappers import inner_datasets
from auglocal_mm.engine.last_batch import check_last_batch
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.coco_metric import CocoMetric, MMDetCocoMetric, check_order
from auglocal_mm.launch.node import once_per_node
from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime.grid import num_replicas

CHECKED = 5000
"""About how many images of a data set have their size checked before training: all of COCO's validation set."""


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Refuses data that do not fit the model or are incomplete, and counts images that were skipped.

    One process of each node checks the data for all of its processes.
    """

    priority = 'HIGH'  # while every process of layer-parallel training still has all weights

    def __init__(self) -> None:
        self.trained_on: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Checks the data of training and validation, and the annotations of the evaluator.

        Raises:
            InputError: As :func:`check_training_data`, or a last batch of one image that cannot be trained on.
        """
        validation = runner.val_loop and (runner.val_loop.dataloader.dataset, runner.val_loop.evaluator)
        once_per_node(lambda: check_training_data(runner.train_dataloader, unwrapped(runner.model), validation))
        check_last_batch(runner)  # in every process: norms may exchange statistics

    def before_test(self, runner: Runner) -> None:
        """Checks the test data.

        Raises:
            InputError: Another number of classes than the model's, other classes than the checkpoint's, images that do not
                exist or have another size, or annotations of other images.
        """
        once_per_node(lambda: self._check_test_data(runner))

    def _check_test_data(self, runner: Runner) -> None:
        dataset = runner.test_dataloader.dataset
        check_classes(dataset, unwrapped(runner.model), 'test')
        _compare_classes(self.trained_on, _classes(dataset), 'test')
        _check_images(dataset)
        _check_evaluator(runner.test_evaluator, dataset)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remembers what the checkpoint was trained on."""
        self.trained_on = list((checkpoint.get('meta', {}).get('dataset_meta') or {}).get('classes') or ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Logs how many corrupt images were skipped so far."""
        skipped = sum(getattr(each, 'num_skipped', 0) for each in inner_datasets(runner.train_dataloader.dataset))
        if skipped:
            print_log(
                f'{skipped} corrupt training images were skipped so far.', logger='current', level=logging.WARNING
            )


def check_training_data(batches: DataLoader, model: Any, validation: tuple[Any, Evaluator] | None) -> None:
    """Checks that the data are complete and fit the model and each other.

    Args:
        batches: Of the training data.
        model: The model.
        validation: The data set and its evaluator.

    Raises:
        InputError: Less than a batch, another number of classes than the model's, other classes in the validation data,
            images of the annotations that do not exist or have another size, or an evaluator with annotations of other images.
    """
    dataset: Any = batches.dataset
    if not len(batches):
        raise InputError(
            f'the training data have {len(dataset)} images, which do not fill one batch of {num_replicas()} processes '
            f'with {batches.batch_size} each: nothing would be trained; lower train_dataloader.batch_size'
        )
    check_classes(dataset, model)
    _warn_of_left_out_classes(dataset)
    _check_images(dataset)
    if validation is not None:
        validated, evaluator = validation
        _compare_classes(_classes(dataset), _classes(validated), 'validation')
        _check_images(validated)
        _check_evaluator(evaluator, validated)


def check_classes(dataset: Any, model: Any, name: str = 'training') -> None:
    """Checks that all data have the same classes, and the model as many.

    Raises:
        InputError: They do not.
    """
    first, *others = inner_datasets(dataset)
    for other in others:
        _compare_classes(_classes(first), _classes(other), f'other {name}')
    classes = getattr(first, 'metainfo', {}).get('classes')
    for key in ('head', 'roi_head.bbox_head', 'roi_head.mask_head'):
        head = functools.reduce(lambda part, attribute: getattr(part, attribute, None), key.split('.'), model)
        expected = getattr(head, 'num_classes', None)
        if classes is not None and expected is not None and len(classes) != expected:
            raise InputError(
                f'the {name} data have {len(classes)} classes, but num_classes of the model is {expected} (model.{key}); '
                f'set it to {len(classes)}, or point to the right data'
            )


def _warn_of_left_out_classes(dataset: Any) -> None:
    """Warns if ``num_batch_per_epoch``, by which MMEngine takes the first images alone, leaves out classes."""
    labels = getattr(dataset, 'labels', [])
    seen, there = len({*labels[: len(dataset)]}), len({*labels})
    if seen < there:
        print_log(
            f'train_dataloader.num_batch_per_epoch takes the first {len(dataset)} of {len(labels)} training images, with {seen} '
            f'of {there} classes; remove it, and set train_cfg.max_iters for a shorter training',
            logger='current',
            level=logging.WARNING,
        )


def _compare_classes(ours: list[str], theirs: list[str], name: str) -> None:
    if ours and theirs and ours != theirs:
        different = sorted(set(ours) ^ set(theirs)) or ['their order']
        raise InputError(
            f'the training data have {len(ours)} classes and the {name} data {len(theirs)}, and they differ in '
            f'{different[0]}: a label would mean different things; add the missing folders, or point to the right data'
        )


def _classes(dataset: Any) -> list[str]:
    first = next(inner_datasets(dataset))
    return list(getattr(first, 'metainfo', {}).get('classes') or ())


def _check_images(dataset: Any) -> None:
    for each in inner_datasets(dataset):
        if hasattr(each, 'get_data_info'):
            infos = map(each.get_data_info, range(len(each)))
            sizes = {info['img_path']: (info.get('height'), info.get('width')) for info in infos}
            _check_files([*sizes], each.ann_file)
            _check_sizes(sizes, each.ann_file)


def _check_files(paths: list[str], annotations: str) -> None:
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise InputError(
            f'{len(missing)} of {len(paths)} images of the annotations {annotations} do not exist, the first is '
            f'{missing[0]}; set data_root and data_prefix to the folder that contains them'
        )


def _check_sizes(sizes: dict[str, Any], annotations: str) -> None:
    """Reads the headers of images spread over the data set; the others are checked when they are loaded."""
    for path, expected in [*sizes.items()][:: max(1, len(sizes) // CHECKED)]:
        found = image_size(path)
        if found is not None and expected[0] is not None:
            check_size(path, found, expected, annotations)


def _check_evaluator(evaluator: Evaluator, dataset: Any) -> None:
    for metric in evaluator.metrics:
        if isinstance(metric, CocoMetric):
            metric.check_dataset(dataset)
        elif isinstance(metric, MMDetCocoMetric):
            check_order(metric, _classes(dataset))
