"""Checks before training that a last batch of one image, or few, can be trained on."""

import copy
import itertools
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from auglocal_mm.datasets import collate_images
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.local.module import images_read
from auglocal_mm.local.step import local_step


def check_last_batch(runner: Runner) -> None:
    """Runs a copy of the classifier on the last batch of an epoch if it, or a head's share of it, is only one image.

    Normalisation needs more than one value per channel in training: one image is enough as long as its feature maps are
    larger than 1x1.

    Raises:
        InputError: The classifier cannot be trained on so few images.
    """
    model, loader = unwrapped(runner.model), runner.train_dataloader
    if not hasattr(model, 'local_modules') or runner.max_iters < len(loader):
        return
    size, modules = _last_batch_size(loader), model.local_modules()
    if size is None or all(images_read(module.head.batch_share, size) != 1 for module in modules):
        return
    copied = copy.deepcopy(model).train()
    items = list(itertools.islice((item for item in loader.dataset if item is not None), size))
    try:
        with torch.no_grad(), torch.random.fork_rng():
            batch = copied.data_preprocessor(collate_images(items), training=True)
            local_step(copied.local_modules(), batch['inputs'], batch['data_samples'], lambda *_: None)
    except ValueError as error:
        raise InputError(
            f'the last batch of an epoch has {size} of train_dataloader.batch_size={loader.batch_size} images, on which this '
            f'network cannot be trained ({error}); set train_dataloader.drop_last=True, or another batch_size'
        ) from error


def _last_batch_size(loader: DataLoader) -> int | None:
    if loader.batch_size is None or loader.drop_last or isinstance(loader.sampler, InfiniteSampler):
        return loader.batch_size
    sampler: Any = loader.sampler  # PyTorch's base class has no length
    return len(sampler) % loader.batch_size or loader.batch_size
