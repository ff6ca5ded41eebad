"""The dry run of ``tools/train.py --check``: partition, costs, and isolation on one batch of the training data."""

import logging
import sys

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from rich.console import Console

from auglocal_mm.analysis.annotation_check import check_annotations
from auglocal_mm.analysis.partition_table import module_costs, to_table
from auglocal_mm.datasets.in_process import in_process
from auglocal_mm.engine.hooks.data_check_hook import check_classes
from auglocal_mm.errors import InputError
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.models import ImageClassifier
from auglocal_mm.registry import MODELS

TOLERANCE = 1e-4
"""Largest relative difference between two ways to compute a float32 gradient that counts as rounding."""
IMAGES = 8
"""Images of the batch that are used: enough for batch statistics, little enough for any machine."""


def check_run(config: Config) -> None:
    """Builds the model and data of ``config``, prints the partition, and checks that no gradient crosses a border.

    Raises:
        InputError: The model cannot be partitioned or has other classes than the data, or a gradient does cross.
    """
    init_default_scope(config.default_scope)
    set_random_seed(config.get('randomness', {}).get('seed', 0))
    model = MODELS.build(config.model)
    if not hasattr(model, 'local_modules'):
        check_annotations(config, model)
        return
    loader = in_process(config.train_dataloader)
    loader['batch_size'] = min(IMAGES, loader['batch_size'])
    _init_quietly(model)
    model.train()
    batches = Runner.build_dataloader(loader)
    check_classes(batches.dataset, model)
    data = model.data_preprocessor(next(iter(batches)), training=True)
    inputs, labels, modules = data['inputs'], data['data_samples'], model.local_modules()
    console = Console(width=None if sys.stdout.isatty() else 160)  # a file has room for the whole table
    costs = module_costs(modules, [layer.name for layer in model.layers], inputs[:1])
    console.print(to_table(costs, inputs.shape[2:]))
    if len(modules) == 1:
        console.print('One module: backpropagation, there is no border to check.')
        return
    errors = isolation_errors(modules, inputs, labels)
    crossed = [module.name for module, error in zip(modules, errors, strict=True) if error > TOLERANCE]
    if crossed:
        raise InputError(
            f'gradients of {", ".join(crossed)} are not those of their own losses; the partition is at fault'
        )
    console.print(
        f'Isolation holds on a batch of {len(labels)}: every gradient is that of its own local loss '
        f'(largest relative difference {max(errors):.1e}).'
    )


def _init_quietly(model: ImageClassifier) -> None:
    """MMEngine would list how every weight starts, in front of the table."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    model.init_weights()
    logger.setLevel(level)
