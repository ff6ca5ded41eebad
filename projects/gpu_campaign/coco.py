"""Stage 6: do the backbones of stage 4 transfer equally well? Mask R-CNN on 274 images of COCO with 12 classes."""

from pathlib import Path
from typing import Any

import tiny_imagenet
from campaign import Campaign, Rows
from loaders import IN_PROCESS, data_root
from mmengine.config import Config
from random_images import coco_folder
from schedules import one_checkpoint
from trainings import REPOSITORY, Training, folder_of, train_all

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_record import read_evaluations

CONFIG = 'projects/small_transfer/configs/mask-rcnn_r34_coco-small.py'
PRETRAINED = ('BP', 'layer-wise, d = 5')
"""Schemes of stage 4."""
RANDOM = 'random initialisation'
SEEDS = (0, 1, 2)
EPOCHS = 24
PARALLEL = 2
"""Trainings at the same time: a detector often waits for the GPU, and the more take turns, the longer."""
LARGE = {'train_dataloader.batch_size': 8, 'train_dataloader.num_workers': 2, 'val_dataloader.num_workers': 1}
NARROW = {
    'model.backbone.base_channels': 8,
    'model.neck.in_channels': [8, 16, 32, 64],
    'model.neck.out_channels': 16,
    'model.rpn_head.in_channels': 16,
    'model.rpn_head.feat_channels': 16,
    'model.roi_head.bbox_roi_extractor.out_channels': 16,
    'model.roi_head.bbox_head.in_channels': 16,
    'model.roi_head.bbox_head.fc_out_channels': 32,
    'model.roi_head.mask_roi_extractor.out_channels': 16,
    'model.roi_head.mask_head.in_channels': 16,
    'model.roi_head.mask_head.conv_out_channels': 16,
}
"""Options of a Mask R-CNN that takes little time on a CPU."""
SMALL = {
    **NARROW,
    'model.test_cfg.rcnn.score_thr': 0.0,
    'train_dataloader.batch_size': 2,
    **IN_PROCESS,
}


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each backbone and seed: the AP of the last epoch. Backbones that are missing are noted."""
    planned = trainings(campaign, find_data(campaign))
    possible = [each for each in planned if has_backbone(campaign, each)]
    rows.note(missing=[each.name for each in planned if each not in possible])
    train_all(possible, campaign, rows, read_detector, parallel=PARALLEL)


def find_data(campaign: Campaign) -> Path:
    """The folder with ``images`` and ``annotations``.

    Raises:
        InputError: It is missing.
    """
    if campaign.miniature:
        return coco_folder(campaign.work / 'coco_random', Config.fromfile(REPOSITORY / CONFIG).classes)
    folder = campaign.data / 'coco_small'
    if not folder.is_dir():
        raise InputError(f'{campaign.data} has no folder coco_small; put it there')
    return folder


def trainings(campaign: Campaign, data: Path) -> list[Training]:
    """All trainings, those of the first seed and one control first."""
    pretrained = PRETRAINED[:1] if campaign.miniature else PRETRAINED
    seeds = SEEDS[:1] if campaign.miniature else SEEDS
    runs = [(scheme, seed) for seed in seeds for scheme in pretrained]
    runs.insert(len(pretrained), (RANDOM, seeds[0]))
    return [training(campaign, data, scheme, seed) for scheme, seed in runs]


def has_backbone(campaign: Campaign, each: Training) -> bool:
    """Whether stage 4 has trained what a training starts from."""
    return each.scheme == RANDOM or tiny_imagenet.backbone(campaign, each.scheme, each.seed).is_file()


def training(campaign: Campaign, data: Path, scheme: str, seed: int) -> Training:
    """One training."""
    epochs = 1 if campaign.miniature else EPOCHS
    options = {
        **data_root(data),
        **{
            f'{split}_evaluator.ann_file': f'{data}/annotations/instances_val_super12.json' for split in ('val', 'test')
        },
        **(SMALL if campaign.miniature else LARGE),
        **start_from(campaign, scheme, seed),
        **one_checkpoint(epochs),
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'param_scheduler.1.T_max': epochs,
        'optim_wrapper.type': 'auglocal_mm.AmpOptimWrapper',
        'optim_wrapper.dtype': 'bfloat16',
        'randomness.seed': seed,
    }
    return Training(scheme, seed, CONFIG, folder_of(campaign, 'coco', scheme, seed), options, {'epochs': epochs})


def start_from(campaign: Campaign, scheme: str, seed: int) -> dict[str, Any]:
    """Options of the initial weights; random ones have no statistics that BatchNorm could use, so that it computes them."""
    if scheme == RANDOM:
        return {'model.backbone.init_cfg': None, 'model.backbone.norm_eval': False}
    return {'model.backbone.init_cfg.checkpoint': str(tiny_imagenet.backbone(campaign, scheme, seed))}


def read_detector(work_dir: Path) -> dict[str, Any]:
    """The last validation of a detector: COCO's metrics from 0 to 1, the AP of each class, and its pretraining.

    Raises:
        InputError: There is none.
    """
    evaluations = read_evaluations(work_dir)
    if evaluations is None or evaluations.validation is None:
        raise InputError(f'{work_dir} has no validation; see the log beside it')
    found = evaluations.validation
    pretraining = found.training and found.training.pretraining
    return {
        'metrics': found.metrics,
        'class_ap': found.class_ap,
        'pretraining': pretraining and pretraining.model_dump(exclude_unset=True),
    }
