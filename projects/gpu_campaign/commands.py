"""The command line on this device: check, train, stop, resume, and train under a launcher."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from campaign import Campaign
from networks import IMAGENET, REPOSITORY
from random_images import CLASSES, class_folders

LAUNCHER = '-m torch.distributed.run --standalone --nproc_per_node 1'


def train(campaign: Campaign, name: str, *options: str, launcher: str = '') -> subprocess.CompletedProcess[str]:
    """Runs ``tools/train.py`` on a small deterministic training of two epochs, in a work_dir of this name."""
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
        settings |= {f'{loader}.dataset.data_root': campaign.work / 'random_images'}
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
    """SHA-256 of the exported backbone of a training, if it has one."""
    path = campaign.work / name / 'backbone.pth'
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else 'none'


def outcome(done: subprocess.CompletedProcess[str], passed: bool = True, **values: Any) -> dict[str, Any]:
    """A row for a command, with the end of its output if it failed."""
    failed = {'output': (done.stdout + done.stderr)[-1500:]} if done.returncode or not passed else {}
    return {'passed': passed and done.returncode == 0, 'status': done.returncode, **values, **failed}


def run_commands(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Rows of all commands but torchrun in a miniature; those that do not need each other run at the same time."""
    class_folders(campaign.work / 'random_images', ('train', 'val'))
    with ThreadPoolExecutor() as pool:
        checked = pool.submit(train, campaign, 'check', '--check')
        whole = pool.submit(train, campaign, 'whole')
        stopped = pool.submit(train, campaign, 'stopped', 'train_cfg.max_epochs=1')
        launching = partial(train, campaign, 'launched', '--launcher', 'pytorch', launcher=LAUNCHER)
        launched = None if campaign.miniature else pool.submit(launching)
        resumed = train(campaign, 'stopped', '--resume') if stopped.result().returncode == 0 else stopped.result()
    said = next((line.strip() for line in checked.result().stdout.splitlines() if 'Isolation holds' in line), '')
    expected = backbone_hash(campaign, 'whole')
    rows = {
        'tools/train.py --check': outcome(checked.result(), bool(said), said=said),
        'tools/train.py': outcome(whole.result(), sha256=expected),
        'stopped and resumed': outcome(resumed, backbone_hash(campaign, 'stopped') == expected),
    }
    if launched:
        same = backbone_hash(campaign, 'launched') == expected
        rows['torchrun with one process'] = outcome(launched.result(), same)
    return rows
