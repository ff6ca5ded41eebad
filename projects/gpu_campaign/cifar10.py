"""Stage 5: the methods of the paper's Table 1 on CIFAR-10 with ResNet-32, in as many epochs as fit."""

import runpy
from pathlib import Path
from typing import Any

from campaign import Campaign, Rows
from loaders import IN_PROCESS, LOADERS
from random_images import CLASSES, NUMBER, class_folders
from schedules import planned_epochs, replayed, schedule
from trainings import REPOSITORY, Training, folder_of, read_classifier, train_all

UNPACK = REPOSITORY / 'projects/paper_tables/cifar10_jpeg.py'
AUGLOCAL = 'auglocal/resnet32_auglocal-d5'
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    'BP': ('bp/resnet32_bp', {}),
    'DGL': ('dgl/resnet32_dgl', {}),
    'PredSim': ('predsim/resnet32_predsim', {}),
    'InfoPro': ('infopro/resnet32_infopro', {}),
    **{
        f'd = {depth}': (AUGLOCAL, {'model.auxiliary_heads.depth': depth, 'model.partition.last_module_layers': depth})
        for depth in (2, 3, 4, 5, 6)
    },
    **{
        f'd = 4, {name}': (
            AUGLOCAL,
            {'model.auxiliary_heads': dict(depth=4, **keys), 'model.partition.last_module_layers': 4},
        )
        for name, keys in {'pooled': dict(pooling=2), 'pooled, half width': dict(pooling=2, width=0.5)}.items()
    },
    'MAN, d = 4': (
        'bp/resnet32_bp',
        {
            'model.auxiliary_heads': dict(
                type='MANHead', head=dict(type='AugLocalHead', depth=4, pyramid=0.5, shallow_norm=True)
            ),
            'model.partition': dict(last_module_layers=4),
            'custom_hooks': [dict(type='AugLocalHook')],
        },
    ),
}
REPLAYED = tuple(method for method in METHODS if method in ('DGL', 'InfoPro') or method.startswith('d = '))
"""Methods whose iterations are replayed as CUDA graphs on a GPU."""
SEEDS = (0, 1, 2)
IMAGES = 50_000
MOST_EPOCHS = 200
AUGMENTATION = [
    dict(type='Pad', padding=4, padding_mode='reflect'),
    dict(type='RandomCrop', size=32),
    dict(type='RandomHorizontalFlip'),
]
LARGE = {
    'train_dataloader.num_workers': 2,
    'train_dataloader.drop_last': True,
    'val_dataloader.num_workers': 1,
}
SMALL = {
    'model.backbone.widths': (8, 16, 32),
    'model.head.num_classes': len(CLASSES),
    'train_dataloader.batch_size': 8,
    **IN_PROCESS,
}


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each method and seed. The epochs are as many as fit for one seed; further seeds use what is left."""
    data = find_data(campaign)
    images = len(CLASSES) * NUMBER if campaign.miniature else IMAGES
    first = trainings(campaign, data, 1, SEEDS[:1])
    epochs = planned_epochs(first, images, 1 if campaign.miniature else MOST_EPOCHS, campaign, rows)
    train_all(trainings(campaign, data, epochs, SEEDS), campaign, rows, read_classifier)


def find_data(campaign: Campaign) -> Path:
    """The folder with ``train`` and ``test``, unpacked if necessary.

    Raises:
        InputError: There is nothing to unpack.
    """
    folder = campaign.work / 'cifar10_images'
    if campaign.miniature:
        return class_folders(folder, ('train', 'test'))
    if not folder.is_dir():
        partial = folder.with_suffix('.partial')
        unpack = runpy.run_path(str(UNPACK))['unpack']
        for split in ('train', 'test'):
            unpack(campaign.data / 'cifar10' / f'cifar10_jpeg_{split}.npz', partial / split)
        partial.rename(folder)
    return folder


def trainings(campaign: Campaign, data: Path, epochs: int, seeds: tuple[int, ...]) -> list[Training]:
    """All trainings, those of the first seed first."""
    if campaign.miniature:
        return [training(campaign, data, epochs, method, seeds[0]) for method in ('BP', 'MAN, d = 4')]
    return [training(campaign, data, epochs, method, seed) for seed in seeds for method in METHODS]


def training(campaign: Campaign, data: Path, epochs: int, method: str, seed: int) -> Training:
    """One training."""
    config, chosen = METHODS[method]
    options = {
        **image_folders(data, in_memory=not campaign.miniature),
        **(SMALL if campaign.miniature else LARGE),
        **schedule(epochs),
        **chosen,
        **(replayed() if method in REPLAYED and campaign.device == 'cuda' else {}),
        'optim_wrapper.type': 'AmpOptimWrapper',
        'optim_wrapper.dtype': 'bfloat16',
        'randomness.seed': seed,
    }
    path = f'configs/{config}_1xb1024-400e_cifar10.py'
    return Training(method, seed, path, folder_of(campaign, 'cifar10', method, seed), options, chosen)


def image_folders(data: Path, in_memory: bool) -> dict[str, Any]:
    """Options: the images come from class folders instead of torchvision's copy."""
    common = dict(_delete_=True, type='ImageFolder', data_root=str(data), **({'in_memory': True} if in_memory else {}))
    train = {**common, 'split': 'train', 'transforms': AUGMENTATION}
    test = {f'{loader}.dataset': {**common, 'split': 'test'} for loader in LOADERS[1:]}
    return {'train_dataloader.dataset': train, **test}
