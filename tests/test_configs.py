"""Every config file parses, and what can be built is built."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY

from auglocal_mm.registry import MODELS

PRETRAINING = sorted(p for m in ('bp', 'auglocal') for p in (REPOSITORY / 'configs' / m).glob('*.py'))
BENCHMARKS = sorted((REPOSITORY / 'configs').glob('*/benchmarks/*_coco.py'))
BENCHMARKS = [path for path in BENCHMARKS if '_base_' not in path.parts]
PROJECTS = sorted((REPOSITORY / 'projects').glob('*/configs/*.py'))


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def build(config: Config) -> torch.nn.Module:
    init_default_scope(config.default_scope)
    with torch.device('meta'):
        return MODELS.build(config.model)


@pytest.mark.parametrize('path', PRETRAINING, ids=name)
def test_pretraining_config_builds(path):
    config = Config.fromfile(path)
    model = build(config)
    gpus, batch = map(int, path.stem.split('_')[2].split('-')[0].split('xb'))
    assert config.train_dataloader.batch_size == batch
    assert config.auto_scale_lr.base_batch_size == gpus * batch
    assert config.optim_wrapper.optimizer.lr == pytest.approx(0.4 * gpus * batch / 1024)
    assert f'resnet{config.model.backbone.depth}_' in path.stem
    backbone = model.backbone
    assert (backbone.norm_eval, backbone.zero_init_residual, backbone.frozen_stages) == (False, False, -1)
    assert len(model.local_modules()) == (1 if 'bp' in path.parts else len(model.layers))


@pytest.mark.parametrize('path', [p for p in PRETRAINING if 'auglocal' in p.parts], ids=name)
def test_auglocal_differs_from_bp_in_three_lines(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) == 3
    assert lines[0].startswith("_base_ = '../bp/")
    local, plain = (
        Config.fromfile(path),
        Config.fromfile(path.parent / Config.fromfile(path).get('_base_', _base(path))),
    )
    local.model.pop('auxiliary_heads')
    local.pop('custom_hooks')
    assert local.to_dict() == plain.to_dict()


def _base(path: Path) -> str:
    return path.read_text().split("'")[1]


@pytest.mark.parametrize('path', BENCHMARKS, ids=name)
def test_benchmark_config_builds(path):
    config = Config.fromfile(path)
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) == 2  # the base, and the backbone's file
    assert config.train_dataloader.batch_size == 2
    assert config.model.backbone.frozen_stages == (1 if '-sgd_' in path.stem else -1)
    assert config.optim_wrapper.optimizer.type == ('SGD' if '-sgd_' in path.stem else 'AdamW')
    assert config.train_cfg.max_epochs == 12
    depth = config.model.backbone.depth
    checkpoint = config.model.backbone.init_cfg.checkpoint
    assert f'r{depth}-' in path.stem
    if '://' in checkpoint:
        assert checkpoint == f'torchvision://resnet{depth}'
    else:
        assert (path.parents[1] / f'{Path(checkpoint).parent.name}.py').is_file(), 'the file that writes this backbone'
        assert f'resnet{depth}_' in checkpoint
    assert type(build(config)).__name__ == 'MaskRCNN'


@pytest.mark.parametrize('path', PROJECTS, ids=name)
def test_project_config_builds(path):
    build(Config.fromfile(path))


def test_data_folders_come_from_the_environment(monkeypatch):
    monkeypatch.setenv('IMAGENET', '/somewhere/imagenet')
    monkeypatch.setenv('COCO', '/somewhere/coco')
    config = Config.fromfile(PRETRAINING[0])
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.data_root == '/somewhere/imagenet'
    config = Config.fromfile(BENCHMARKS[0])
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.data_root == '/somewhere/coco'
        assert loader.dataset.ann_file.startswith('annotations/instances_')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        assert evaluator.ann_file == '/somewhere/coco/annotations/instances_val2017.json'
