"""The trainings that are compared: networks, local learning methods, and options of the training."""

import copy
import functools
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from train_processes import REPOSITORY

from auglocal_mm.errors import InputError

BATCH_SIZE, EPOCHS, ITERATIONS = 8, 3, 10
"""Images of an iteration, epochs, and iterations of an epoch."""
CLASSES = 10
NARROW, WIDE, CIFAR = 'ResNet-18, 1/4 width', 'ResNet-18', 'CIFARResNet-20'
MODULES = {NARROW: 9, WIDE: 9, CIFAR: 6}
"""Number of local modules: one for each block; in the CIFAR ResNet one for the last five, as in the paper."""
RESNET = {'model.backbone.depth': 18, 'model.checkpointed': ()}
NETWORKS: dict[str, tuple[str, int, dict[str, Any]]] = {  # config, side of the images, settings
    NARROW: ('resnet34_auglocal-d5_1xb256-200e_in1k', 32, {**RESNET, 'model.backbone.base_channels': 16}),
    WIDE: ('resnet34_auglocal-d5_1xb256-200e_in1k', 32, RESNET),
    CIFAR: ('resnet32_auglocal-d5_1xb1024-400e_cifar10', 16, {'model.backbone.depth': 20}),
}
INFOPRO_WEIGHTS = dict(cross_entropy=(0.05, 0.5), reconstruction=(5.0, 0.2))
METHODS: dict[str, dict[str, Any]] = {
    'AugLocal': dict(type='AugLocalHead', depth=5),
    'DGL': dict(type='DGLHead'),
    'PredSim': dict(type='PredSimHead'),
    'InfoPro': dict(type='InfoProHead', loss_weights=INFOPRO_WEIGHTS),
    'AugLocal and InfoPro': dict(type='AugLocalInfoProHead', depth=5, loss_weights=INFOPRO_WEIGHTS),
    'convolutions': dict(type='ConvolutionHead', depth=5),
}
AMP = {'optim_wrapper.type': 'auglocal_mm.AmpOptimWrapper'}
DROPOUT = dict(type='VGGHead', pooled=1, hidden=64)
HOOK = dict(type='AugLocalHook')
OPTIONS: dict[str, dict[str, Any]] = {
    '': {},
    'bfloat16': {**AMP, 'optim_wrapper.dtype': 'bfloat16'},
    'float16': {**AMP, 'optim_wrapper.dtype': 'float16'},
    'clipping': {'optim_wrapper.clip_grad': dict(max_norm=0.5)},
    'accumulation': {'optim_wrapper.accumulative_counts': 4},
    'dropout': {
        'model.auxiliary_heads.classifier': DROPOUT,
        'model.head': dict(_delete_=True, num_classes=CLASSES, **DROPOUT),
    },
    'moving average': {'custom_hooks': [HOOK, dict(type='PrimaryEMAHook')]},
    'frozen heads': {'custom_hooks': [HOOK, dict(type='FreezeAuxiliaryHook', start=0.3)]},
    'frozen stages': {'model.backbone.frozen_stages': 1},
    'GroupNorm': {'model.backbone.norm_cfg': dict(type='GN', num_groups=4)},
}


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        network: A key of :data:`NETWORKS`.
        method: A key of :data:`METHODS`.
        option: A key of :data:`OPTIONS`.
        replicas: Number of processes that share the batch of every stage.
        stages: Into how many processes each replica is divided, in turn.
    """

    network: str
    method: str = 'AugLocal'
    option: str = ''
    replicas: int = 1
    stages: tuple[int, ...] = field(default=())

    @property
    def key(self) -> dict[str, Any]:
        """What identifies it in the results."""
        precision = self.option if self.option in ('bfloat16', 'float16') else 'float32'
        option = '' if self.option == precision else self.option
        return {
            'network': self.network,
            'method': self.method,
            'precision': precision,
            'option': option,
            'replicas': self.replicas,
        }


def all_cases() -> list[Case]:
    """Every method, every option of AugLocal, and two replicas; on both networks where they have the option."""

    def case(network: str, *chosen: str) -> Case:
        return Case(network, *chosen, stages=(1, 2, 3, MODULES[network]))

    cases = [case(network, method) for method in METHODS for network in (NARROW, CIFAR)]
    only = {'GroupNorm', 'frozen stages'}  # the CIFAR ResNet has neither
    shared = [option for option in OPTIONS if option and option not in only]
    cases += [case(network, 'AugLocal', option) for option in shared for network in (NARROW, CIFAR)]
    cases.append(case(NARROW, 'AugLocal', 'frozen stages'))
    twice = ((NARROW, ''), (NARROW, 'GroupNorm'), (CIFAR, ''))
    cases += [Case(network, option=option, replicas=2, stages=(2,)) for network, option in twice]
    return [*cases, Case(WIDE, stages=(2, 3))]


def training_config(case: Case, images: Path) -> Config:
    """The config of the training of one case.

    Args:
        case: Of the training.
        images: Folder with ``train`` and ``val``.
    """
    name, side, network = NETWORKS[case.network]
    config = copy.deepcopy(_read_config(name))
    heads = {'_delete_': True, **METHODS[case.method]}
    settings = {'model.auxiliary_heads': heads, **network, **_schedule(), **_data(images, side, case.replicas)}
    config.merge_from_dict(copy.deepcopy(settings))
    config.merge_from_dict(copy.deepcopy(OPTIONS[case.option]))
    config.test_dataloader, config.test_evaluator = config.val_dataloader, config.val_evaluator
    return config


@functools.cache
def _read_config(name: str) -> Config:
    return Config.fromfile(REPOSITORY / f'configs/auglocal/{name}.py')


def _schedule() -> dict[str, Any]:
    return {
        'train_cfg.max_epochs': EPOCHS,
        'param_scheduler': dict(_delete_=True, type='CosineAnnealingLR', T_max=EPOCHS, by_epoch=True),
        'optim_wrapper.optimizer.lr': 0.02,
        'default_hooks.logger.interval': 1,
        'val_evaluator.topk': (1,),
        'env_cfg.cudnn_benchmark': False,
    }


def _data(images: Path, side: int, replicas: int) -> dict[str, Any]:
    settings: dict[str, Any] = {'model.image_size': side, 'model.head.num_classes': CLASSES}
    transforms = {
        'train': [dict(type='RandomResizedCrop', size=side), dict(type='RandomHorizontalFlip')],
        'val': [dict(type='Resize', size=side)],
    }
    for split, chosen in transforms.items():
        loader = f'{split}_dataloader'
        settings |= {
            f'{loader}.batch_size': BATCH_SIZE // replicas,
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
            f'{loader}.dataset': dict(
                _delete_=True, type='ImageFolder', data_root=str(images), split=split, transforms=chosen
            ),
        }
    return settings


def copy_images(data: Path, folder: Path) -> Path:
    """Copies the first images of every class: ten iterations to train with, and two of each class to validate.

    Raises:
        InputError: ``data`` does not have the folders and images.
    """
    for split, number in (('train', BATCH_SIZE * ITERATIONS // CLASSES), ('val', 2)):
        classes = sorted(path for path in (data / split).glob('*') if path.is_dir())[:CLASSES]
        chosen = [sorted(path for path in each.iterdir() if path.is_file())[:number] for each in classes]
        if len(chosen) < CLASSES or any(len(paths) < number for paths in chosen):
            raise InputError(
                f'--data is {data}; expected {split}/<class>/ with {number} or more images for {CLASSES} classes, as in Tiny '
                'ImageNet'
            )
        for path in [path for paths in chosen for path in paths]:
            target = folder / split / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder
