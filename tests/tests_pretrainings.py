"""Pretrainings as they would be read from their work_dirs, without a training."""

from pathlib import Path
from typing import Any

from auglocal_mm.analysis.training_log import Curves, TrainingLog
from auglocal_mm.launch.work_dir import Stage
from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun
from auglocal_mm.transfer.run_config import RunConfig
from auglocal_mm.weights.backbone_record import BackboneRecord

MODULES = ('stem', 'layer1.0-layer1.2', 'layer2.0')
CONFIG: dict[str, Any] = {
    'model': {
        'type': 'ImageClassifier',
        'backbone': {'type': 'mmdet.ResNet', 'depth': 34},
        'head': {'type': 'LinearHead', 'num_classes': 10},
        'auxiliary_heads': {'type': 'AugLocalHead', 'depth': 5},
    },
    'train_cfg': {'by_epoch': True, 'max_epochs': 2},
    'train_dataloader': {'batch_size': 64, 'dataset': {'type': 'ImageFolder', 'data_root': 'data/flowers'}},
    'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9}},
    'param_scheduler': [{'type': 'LinearLR'}, {'type': 'CosineAnnealingLR'}],
    'randomness': {'seed': 7},
    'default_hooks': {'logger': {'interval': 5}},
    'layer_parallel': None,
}
RECORD: dict[str, Any] = {
    'method': 'AugLocalHead',
    'architecture': 'ResNet-34',
    'num_classes': 10,
    'epoch': 2,
    'iteration': 20,
    'partition': {'num_local_modules': 3, 'split_points': ['stem', 'layer1.2']},
    'auxiliary_heads': {'type': 'AugLocalHead', 'depth': 5},
    'datasets': [{'type': 'ImageFolder', 'folder': 'flowers', 'num_images': 1234}],
    'seed': 3,
    'initial_weights': '',
    'versions': {'python': '3.11.7', 'torch': '2.11.0'},
    'checkout': {'commit': '0123abcd', 'changed': True},
    'device': 'a GPU',
    'num_processes': 1,
    'training_seconds': 3725.4,
    'peak_memory': {'allocated': 3 * 2**29},
    'sha256': 'feed' * 16,
}


def curves(modules: tuple[str, ...] = MODULES) -> Curves:
    """Of two epochs of ten iterations, logged every five; the first modules have the least loss."""
    steps = (5, 10, 15, 20)
    local = {
        f'local/{module}/{kind}': [(step, start + index - sign * step / 10) for step in steps]
        for index, module in enumerate(modules)
        for kind, start, sign in (('loss', 4.0, 1), ('accuracy', 50.0, -1))
    }
    return {**local, 'lr': [(step, step / 100) for step in steps], 'time': [(step, 0.5) for step in steps]}


def pretraining(name: str = 'AugLocal', **settings: Any) -> PretrainingRun:
    """A pretraining; settings replace what :class:`PretrainingRun` has, or parts of its config."""
    config = RunConfig(Path('config.py'), CONFIG | {key: settings.pop(key) for key in CONFIG.keys() & settings.keys()})
    validation = {'accuracy/top1': [(1, 61.5), (2, 60.25)], 'accuracy/top5': [(1, 80.0), (2, 91.0)]}
    known: dict[str, Any] = {
        'stage': Stage.of(config.values),
        'config': config,
        'record': BackboneRecord.model_validate(RECORD),
        'finished': True,
        'log': TrainingLog(curves(), validation, [Path('work_dir/20250101_000000')]),
        'epoch_length': 10.0,
    }
    return PretrainingRun(name, **known | settings)


def backpropagation(name: str = 'BP') -> PretrainingRun:
    """One of backpropagation, whose log has no local modules."""
    record = {
        **RECORD,
        'method': 'BP',
        'partition': {'num_local_modules': 1, 'split_points': []},
        'sha256': 'beef' * 16,
    }
    record.pop('auxiliary_heads')
    model = {key: value for key, value in CONFIG['model'].items() if key != 'auxiliary_heads'}
    training = {'loss': [(5, 2.5), (20, 1.5)], 'accuracy': [(5, 25.0), (20, 75.0)], 'lr': curves()['lr']}
    log = TrainingLog(training, {'accuracy/top1': [(1, 50.0), (2, 55.5)]}, [Path('work_dir/20250101_000000')])
    return pretraining(name, model=model, record=BackboneRecord.model_validate(record), log=log)
