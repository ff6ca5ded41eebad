"""Fixtures for tests that train: a folder of tiny images and configs that fit it."""

import multiprocessing.context
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tests_processes import SERVER
from tests_support import REPOSITORY
from torch import nn
from torch.nn import functional

import auglocal_mm  # noqa: F401  (before any test imports mmdet)

CONFIGS = {
    'bp': 'configs/bp/resnet34_bp_1xb256-200e_in1k.py',
    'auglocal': 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py',
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools change it, also where a test calls one in its own process. What is spawned has the imports already."""
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
    monkeypatch.setitem(multiprocessing.context._concrete_contexts, 'spawn', SERVER)


@pytest.fixture
def shapes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms and first weights of networks that are only built and counted take most of the time, and change no shape."""
    norm = functional.batch_norm

    def batch_norm(inputs: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        return torch.empty_like(inputs) if inputs.is_meta else norm(inputs, *rest, **named)

    monkeypatch.setattr(functional, 'batch_norm', batch_norm)
    for name in ('kaiming_uniform_', 'kaiming_normal_', 'uniform_'):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


@pytest.fixture
def ten_seconds() -> Iterator[None]:
    """Fails a test that waits for a pipe."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """train/ with 3 classes x 8 and val/ with 3 classes x 2 random 32x32 images."""
    generator = np.random.default_rng(0)
    for split, number in (('train', 8), ('val', 2)):
        for label, name in enumerate(('cat', 'dog', 'emu')):
            folder = tmp_path / 'images' / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                pixels = generator.integers(0, 160, (32, 32, 3), dtype=np.uint8)
                pixels[..., label] += 95  # learnable: each class has its colour
                Image.fromarray(pixels).save(folder / f'{index}.png')
    return tmp_path / 'images'


@pytest.fixture
def tiny_config(image_folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Makes the config of a two-epoch training of a narrow ResNet-18: three iterations of eight images an epoch."""

    def make(method: str = 'auglocal', **overrides: Any) -> Config:
        config = Config.fromfile(REPOSITORY / CONFIGS[method])
        settings: dict[str, Any] = {
            'model.backbone.depth': 18,
            'model.backbone.base_channels': 8,
            'model.head.num_classes': 3,
            'train_cfg.max_epochs': 2,
            'param_scheduler.T_max': 2,
            'optim_wrapper.optimizer.lr': 0.01,
            'default_hooks.logger.interval': 1,
            'val_evaluator.topk': (1,),
            'work_dir': str(tmp_path / 'work_dir'),
            'env_cfg.dist_cfg.backend': 'gloo',
            'env_cfg.cudnn_benchmark': False,
            # MMEngine keeps runners by name; without one, two runs within a second would share their logs.
            'experiment_name': f'{method}_{len(made)}_{tmp_path.name}',
        }
        for loader in ('train_dataloader', 'val_dataloader'):
            settings |= {
                f'{loader}.batch_size': 8,
                f'{loader}.num_workers': 0,
                f'{loader}.persistent_workers': False,
                f'{loader}.dataset.data_root': str(image_folder),
            }
        settings['train_dataloader.dataset.transforms'] = [dict(type='RandomCrop', size=32, padding=4)]
        settings['val_dataloader.dataset.transforms'] = [dict(type='Resize', size=32)]
        if method == 'auglocal':
            settings['model.auxiliary_heads.depth'] = 3
            settings['model.checkpointed'] = []  # names a layer that other backbones lack
        config.merge_from_dict(settings)
        config.merge_from_dict(overrides)
        config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
        made.append(config)
        return config

    made: list[Config] = []
    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the test of minutes first, so that no process of several is left alone with it at the end."""
    items.sort(key=lambda item: 'test_real_photographs' not in item.nodeid)
