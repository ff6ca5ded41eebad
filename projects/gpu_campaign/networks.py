"""The classifiers that several stages train on random images, from configs of the repository."""

import copy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor

from auglocal_mm.benchmark.iteration import random_batch
from auglocal_mm.models import ImageClassifier
from auglocal_mm.registry import MODELS

REPOSITORY = Path(__file__).parents[2]
IMAGENET = 'auglocal/resnet34_auglocal-d5_1xb256-200e_in1k'


def read(name: str, **settings: Any) -> Config:
    """A config of the repository by its path below ``configs``; dots in keys are written as two underscores."""
    config = Config.fromfile(REPOSITORY / f'configs/{name}.py')
    config.merge_from_dict({key.replace('__', '.'): value for key, value in settings.items()})
    return config


def build(config: Config, device: str, seed: int = 0) -> tuple[ImageClassifier, OptimWrapper]:
    """The model of a config, initialised on the CPU so that it is the same on every device, and its optimizers."""
    init_default_scope('auglocal_mm')
    torch.manual_seed(seed)
    model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    model.to(device).train()
    return model, build_optim_wrapper(model, copy.deepcopy(config.optim_wrapper))


def images(config: Config, batch_size: int, device: str, seed: int = 0) -> dict[str, Tensor]:
    """A random batch on ``device``, the same on every device."""
    torch.manual_seed(seed)
    batch = random_batch(config.model.head.num_classes, batch_size, config.model.image_size)
    return {name: tensor.to(device) for name, tensor in batch.items()}
