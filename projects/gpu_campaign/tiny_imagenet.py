"""Stage 4: does local learning with few modules reach the accuracy of BP? ResNet-34 on 100 classes at 64 pixels."""

import zipfile
from pathlib import Path
from typing import Any

from campaign import Campaign, Rows
from loaders import IN_MEMORY, IN_PROCESS, data_root
from random_images import CLASSES, NUMBER, class_folders
from schedules import planned_epochs, replayed, schedule
from trainings import Training, folder_of, read_classifier, train_all

from auglocal_mm.errors import InputError

CONFIGS = 'projects/gpu_campaign/configs/resnet34_{}_tiny-imagenet100-64px.py'
SCHEMES: dict[str, dict[str, Any]] = {
    'BP': {},
    'K = 2, d = 2': {
        'model.auxiliary_heads': dict(type='AugLocalHead', depth=2),
        'model.partition': dict(num_local_modules=2),
    },
    'K = 4, d = 3': {
        'model.auxiliary_heads': dict(type='AugLocalHead', depth=3),
        'model.partition': dict(num_local_modules=4),
    },
    'layer-wise, d = 5': {'model.auxiliary_heads': dict(type='AugLocalHead', depth=5)},
    'layer-wise, pooled': {'model.auxiliary_heads': dict(type='AugLocalHead', depth=5, pooling=2)},
    'layer-wise, pooled, half width': {
        'model.auxiliary_heads': dict(type='AugLocalHead', depth=5, pooling=2, width=0.5),
    },
    'K = 4, DGL': {'model.auxiliary_heads': dict(type='DGLHead'), 'model.partition': dict(num_local_modules=4)},
}
SEEDS = (0, 1, 2)
IMAGES = 20_000
MOST_EPOCHS = 100
CHANCE = 1.0
"""Top-1 accuracy in percent of a network that has learnt nothing."""
SMALL = {
    'model.backbone.base_channels': 8,
    'model.head.num_classes': len(CLASSES),
    'model.image_size': 32,
    'train_dataloader.batch_size': 8,
    'train_dataloader.dataset.transforms.0.size': 32,
    'val_evaluator.topk': (1,),
    **IN_PROCESS,
}


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each scheme and seed: accuracies, seconds and settings."""
    data = find_data(campaign)
    images = len(CLASSES) * NUMBER if campaign.miniature else IMAGES
    epochs = planned_epochs(
        trainings(campaign, data, 1), images, 1 if campaign.miniature else MOST_EPOCHS, campaign, rows
    )
    train_all(trainings(campaign, data, epochs), campaign, rows, read_classifier)
    rows.note(chance=CHANCE, learnt={name: learnt(row) for name, row in rows.data['rows'].items()})


def find_data(campaign: Campaign) -> Path:
    """The folder with ``train`` and ``val``, unpacked if necessary.

    Raises:
        InputError: There is neither a folder nor an archive.
    """
    folder = campaign.work / 'tiny_imagenet100'
    if campaign.miniature:
        return class_folders(folder, ('train', 'val'))
    given = campaign.data / 'tiny_imagenet100'
    if given.is_dir() or folder.is_dir():
        return given if given.is_dir() else folder
    archive = given.with_suffix('.zip')
    if not archive.is_file():
        raise InputError(f'{campaign.data} has neither tiny_imagenet100/ nor {archive.name}; put one of them there')
    partial = folder.with_suffix('.partial')
    with zipfile.ZipFile(archive) as file:
        file.extractall(partial)
    return partial.rename(folder)


def trainings(campaign: Campaign, data: Path, epochs: int) -> list[Training]:
    """All trainings, those of the first seed first."""
    schemes = list(SCHEMES)[:2] if campaign.miniature else SCHEMES
    seeds = SEEDS[:1] if campaign.miniature else SEEDS
    return [training(campaign, data, epochs, scheme, seed) for seed in seeds for scheme in schemes]


def training(campaign: Campaign, data: Path, epochs: int, scheme: str, seed: int) -> Training:
    """One training."""
    chosen = SCHEMES[scheme]
    options = {
        **data_root(data),
        **(SMALL if campaign.miniature else IN_MEMORY),
        **schedule(epochs),
        **chosen,
        **(replayed() if chosen and campaign.device == 'cuda' else {}),
        'randomness.seed': seed,
    }
    config = CONFIGS.format('local' if chosen else 'bp')
    return Training(scheme, seed, config, folder_of(campaign, 'tiny_imagenet', scheme, seed), options, chosen)


def backbone(campaign: Campaign, scheme: str, seed: int) -> Path:
    """The weights that a training exports."""
    return folder_of(campaign, 'tiny_imagenet', scheme, seed) / 'work_dir/backbone.pth'


def learnt(row: dict[str, Any]) -> bool:
    """Whether a network is far better than chance."""
    return 'error' not in row and row['accuracy']['accuracy/top1'] > 5 * CHANCE
