"""The dry run of ``tools/train.py --check``: partition, costs, and gradient isolation on one training batch."""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from rich.console import Console
from torch import Tensor

from auglocal_mm.analysis.annotation_check import check_annotations
from auglocal_mm.analysis.partition_table import module_costs, to_table
from auglocal_mm.datasets.in_process import in_process
from auglocal_mm.engine.hooks.data_check_hook import check_classes
from auglocal_mm.engine.optim_wrappers.amp_optim_wrapper import DTYPES
from auglocal_mm.errors import InputError
from auglocal_mm.launch.layer_parallel import layer_parallel_settings
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.local.module import LocalModule, fewest_images
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.parallel.device_memory import module_memory, split_within
from auglocal_mm.planning.training_config import optimizer_states, trains_in_autocast
from auglocal_mm.registry import MODELS
from auglocal_mm.runtime.split import balanced_split, check_stages, module_seconds, owners_text, stages_of_splits

TOLERANCE = 1e-4
"""Two float32 gradients whose relative difference is at most this are equal up to rounding."""
IMAGES = 8
"""Number of images used, unless a head needs more: enough for batch statistics, and few enough for any machine."""


def check_run(config: Config) -> None:
    """Builds the model and data of ``config``, prints the partition, and checks that no gradient crosses a module boundary.

    Raises:
        InputError: The model cannot be partitioned, its classes are not those of the data, or a gradient crosses a boundary.
    """
    init_default_scope(config.default_scope)
    set_random_seed(config.get('randomness', {}).get('seed', 0))
    model = MODELS.build(config.model)
    if not hasattr(model, 'local_modules'):
        check_annotations(config, model)
        return
    loader = in_process(config.train_dataloader)
    number = max(IMAGES, fewest_images(module.head.batch_share for module in model.local_modules()))
    loader['batch_size'] = min(number, loader['batch_size'])
    _init_quietly(model)
    model.train()
    batches = Runner.build_dataloader(loader)
    check_classes(batches.dataset, model)
    data = model.data_preprocessor(next(iter(batches)), training=True)
    inputs, labels, modules = data['inputs'], data['data_samples'], model.local_modules()
    # A file has room for the full table; the tables of all processes are equal.
    console = Console(width=None if sys.stdout.isatty() else 160, quiet=not is_main_process())
    costs = module_costs(modules, [layer.name for layer in model.layers], inputs[:1])
    console.print(to_table(costs, inputs.shape[2:]))
    if len(modules) == 1:
        console.print('One local module: this is backpropagation, with no module boundary to check.')
        return
    _print_owners(config, modules, inputs, labels, console)
    errors = isolation_errors(modules, inputs, labels)
    crossed = [module.name for module, error in zip(modules, errors, strict=True) if error > TOLERANCE]
    if crossed:
        raise InputError(
            f'gradients of {", ".join(crossed)} differ from those of their own local loss by more than {TOLERANCE:g}; check '
            'model.partition and the heads of these modules'
        )
    console.print(
        f'Isolation holds on a batch of {len(labels)}: every gradient is that of its own local loss '
        f'(largest relative difference {max(errors):.1e}).'
    )


def _print_owners(
    config: Config, modules: Sequence[LocalModule], images: Tensor, labels: Tensor, console: Console
) -> None:
    """Which process would train which modules, if the config is layer-parallel, by times measured here."""
    settings = layer_parallel_settings(config)
    if settings.num == 1:
        return
    check_stages(modules, settings.num, settings.splits)
    context = precision(config, images.device)
    seconds = module_seconds(modules, images, labels, context)
    if settings.splits is not None:
        stages = stages_of_splits(settings.splits, len(modules))
    elif settings.memory is not None:
        batch_size = config.train_dataloader.batch_size
        memory = module_memory(modules, images, labels, batch_size, optimizer_states(config), context)
        stages = split_within(seconds, memory, settings.num, settings.memory)
    else:
        stages = balanced_split(seconds, settings.num)
    console.print(owners_text([module.name for module in modules], stages, seconds))


def precision(config: Config, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """The context in which a training with this config runs forward passes and losses."""
    if not trains_in_autocast(config):
        return nullcontext
    return partial(torch.autocast, device.type, DTYPES[config.optim_wrapper.get('dtype', 'bfloat16')])


def _init_quietly(model: ImageClassifier) -> None:
    """Initialises without MMEngine's list of every weight, which would precede the table."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    model.init_weights()
    logger.setLevel(level)
