"""A folder of tiny images, and the config of a training that fits it and takes a second."""

import copy
import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from PIL import Image
from tests_support import REPOSITORY

CONFIGS = {
    'bp': 'configs/bp/resnet34_bp_1xb256-200e_in1k.py',
    'auglocal': 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py',
}
NUMBERS = itertools.count()


def stages(number: int) -> dict[str, Any]:
    """Settings of a ResNet with so many stages; four are those of other libraries."""
    settings = dict(
        num_stages=number, strides=(1, 2, 2, 2)[:number], dilations=(1,) * number, out_indices=(number - 1,)
    )
    return {f'model.backbone.{key}': value for key, value in settings.items()}


def write_images(folder: Path) -> Path:
    """train/ with 3 classes x 8 and val/ with 3 classes x 2 random 32x32 images."""
    generator = np.random.default_rng(0)
    for split, number in (('train', 8), ('val', 2)):
        for label, name in enumerate(('cat', 'dog', 'emu')):
            (folder / split / name).mkdir(parents=True)
            for index in range(number):
                pixels = generator.integers(0, 160, (32, 32, 3), dtype=np.uint8)
                pixels[..., label] += 95  # learnable: each class has its colour
                Image.fromarray(pixels).save(folder / split / name / f'{index}.png')
    return folder


@functools.cache
def read_config(method: str) -> Config:
    """The config of the repository, read once: it has five files."""
    return Config.fromfile(REPOSITORY / CONFIGS[method])


def tiny_training(method: str, images: Path, **overrides: Any) -> Config:
    """The config of a two-epoch training of three stages of a narrow ResNet-18: three iterations of eight images an epoch."""
    config = copy.deepcopy(read_config(method))
    settings: dict[str, Any] = {
        'model.backbone.depth': 18,
        'model.backbone.base_channels': 8,
        **stages(3),
        'model.head.num_classes': 3,
        'train_cfg.max_epochs': 2,
        'param_scheduler.T_max': 2,
        'optim_wrapper.optimizer.lr': 0.01,
        'default_hooks.logger.interval': 1,
        'val_evaluator.topk': (1,),
        'env_cfg.dist_cfg.backend': 'gloo',
        'env_cfg.cudnn_benchmark': False,
        # MMEngine keeps runners by name; without one, two runs within a second would share their logs.
        'experiment_name': f'{method}_{next(NUMBERS)}',
    }
    for loader in ('train_dataloader', 'val_dataloader'):
        settings |= {
            f'{loader}.batch_size': 8,
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
            f'{loader}.dataset.data_root': str(images),
        }
    settings['train_dataloader.dataset.transforms'] = [dict(type='RandomCrop', size=32, padding=4)]
    settings['val_dataloader.dataset.transforms'] = [dict(type='Resize', size=32)]
    if method == 'auglocal':
        settings['model.auxiliary_heads.depth'] = 3
        settings['model.checkpointed'] = []  # names a layer that other backbones lack
    config.merge_from_dict(settings)
    config.merge_from_dict(overrides)
    config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
    return config
