"""The command line on this device: check, train, stop, resume, and train under a launcher."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from campaign import Campaign
from networks import IMAGENET, REPOSITORY
from PIL import Image

CLASSES = ('cat', 'dog', 'emu')


def random_images(folder: Path, train: int, val: int, side: int = 32) -> Path:
    """Writes ``train/`` and ``val/`` with so many random images of each of three classes, once."""
    generator = np.random.default_rng(0)
    for split, number in (('train', train), ('val', val)):
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            for index in range(number):
                pixels = generator.integers(0, 160, (side, side, 3), dtype=np.uint8)
                pixels[..., label] += 95  # learnable: each class has its colour
                Image.fromarray(pixels).save(folder / split / name / f'{index}.png')
    return folder


def train(campaign: Campaign, name: str, *options: str, launcher: str = '') -> subprocess.CompletedProcess[str]:
    """Runs ``tools/train.py`` on a small deterministic training of two epochs, in a work_dir of this name."""
    images = random_images(campaign.work / 'random_images', 16, 4)
    settings = {
        'model.image_size': 32,
        'model.backbone.depth': 18,
        'model.backbone.base_channels': 8 if campaign.miniature else 64,
        'model.head.num_classes': len(CLASSES),
        'model.auxiliary_heads.depth': 2,
        'train_cfg.max_epochs': 2,
        'param_scheduler.T_max': 2,
        'optim_wrapper.optimizer.lr': 0.01,
        'randomness.deterministic': True,
        'env_cfg.cudnn_benchmark': False,
        'env_cfg.dist_cfg.backend': 'nccl' if campaign.device == 'cuda' else 'gloo',
        'val_evaluator.topk': '(1,)',
        'train_dataloader.dataset.transforms.0.size': 32,
        'val_dataloader.dataset.transforms.0.size': 32,
        'val_dataloader.dataset.transforms.1.size': 32,
        'experiment_name': name,
    }
    for loader in ('train_dataloader', 'val_dataloader'):
        settings |= {f'{loader}.batch_size': 12, f'{loader}.num_workers': 0, f'{loader}.persistent_workers': False}
        settings |= {f'{loader}.dataset.data_root': images}
    given = [f'{key}={value}' for key, value in settings.items()]
    start = [sys.executable, *launcher.split(), 'tools/train.py', f'configs/{IMAGENET}.py']
    command = [*start, '--work-dir', str(campaign.work / name), '--cfg-options', *given, *options]
    visible = {} if campaign.device == 'cuda' else {'CUDA_VISIBLE_DEVICES': ''}
    environment = {**os.environ, **visible, 'CUBLAS_WORKSPACE_CONFIG': ':4096:8', 'PYTHONPATH': _path()}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, text=True, capture_output=True, check=False, timeout=180
    )


def _path() -> str:
    return os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get('PYTHONPATH')])])


def backbone_hash(campaign: Campaign, name: str) -> str:
    """SHA-256 of the exported backbone of a training."""
    return hashlib.sha256((campaign.work / name / 'backbone.pth').read_bytes()).hexdigest()


def outcome(done: subprocess.CompletedProcess[str], passed: bool = True, **values: Any) -> dict[str, Any]:
    """A row for a command, with the end of its output if it failed."""
    failed = {'output': (done.stdout + done.stderr)[-1500:]} if done.returncode or not passed else {}
    return {'passed': passed and done.returncode == 0, 'status': done.returncode, **values, **failed}


def dry_run(campaign: Campaign) -> dict[str, Any]:
    """``--check`` ends with the sentence that isolation holds."""
    done = train(campaign, 'check', '--check')
    said = next((line for line in done.stdout.splitlines() if 'Isolation holds' in line), '')
    return outcome(done, bool(said), said=said.strip())


def resumed(campaign: Campaign) -> dict[str, Any]:
    """A training stopped after one epoch and resumed exports the bytes of one that was not stopped."""
    done = train(campaign, 'whole')
    if done.returncode:
        return outcome(done)
    done = train(campaign, 'stopped', 'train_cfg.max_epochs=1')
    if done.returncode:
        return outcome(done)
    done = train(campaign, 'stopped', '--resume')
    if done.returncode:
        return outcome(done)
    same = backbone_hash(campaign, 'whole') == backbone_hash(campaign, 'stopped')
    return outcome(done, same, sha256=backbone_hash(campaign, 'whole'))


def launched(campaign: Campaign) -> dict[str, Any]:
    """One process under ``torchrun`` exports the bytes of the same training without a launcher."""
    done = train(
        campaign,
        'launched',
        '--launcher',
        'pytorch',
        launcher='-m torch.distributed.run --standalone --nproc_per_node 1',
    )
    if done.returncode:
        return outcome(done)
    same = backbone_hash(campaign, 'launched') == backbone_hash(campaign, 'whole')
    return outcome(done, same, backend='nccl' if campaign.device == 'cuda' else 'gloo')


COMMANDS: dict[str, Callable[[Campaign], dict[str, Any]]] = {
    'tools/train.py --check': dry_run,
    'stopped and resumed': resumed,
    'torchrun with one process': launched,
}
