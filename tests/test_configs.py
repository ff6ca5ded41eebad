"""Every config file parses, and what can be built is built."""

import ast
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY

from auglocal_mm.registry import MODELS

pytestmark = pytest.mark.usefixtures('shapes_alone')
METHODS = ('bp', 'auglocal', 'dgl', 'predsim', 'infopro')
PRETRAINING = sorted(p for m in METHODS for p in (REPOSITORY / 'configs' / m).glob('*.py'))
BENCHMARKS = sorted((REPOSITORY / 'configs').glob('*/benchmarks/*_coco.py'))
BENCHMARKS = [path for path in BENCHMARKS if '_base_' not in path.parts]
IMPORTED = REPOSITORY / 'configs/imported'
BUILT: dict[str, torch.nn.Module] = {}
PROJECTS = sorted((REPOSITORY / 'projects').glob('*/configs/*.py'))


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def build(config: Config) -> torch.nn.Module:
    """The model of a config, which is built once where configs differ in their data alone."""
    if str(config.model) not in BUILT:
        init_default_scope(config.default_scope)
        # torchvision's RegNet computes its widths with tensors, which must have data.
        device = 'cpu' if 'regnet' in config.model.backbone.get('name', '') else 'meta'
        with torch.device(device):
            BUILT[str(config.model)] = MODELS.build(config.model)
    return BUILT[str(config.model)]


@pytest.mark.parametrize('path', PRETRAINING, ids=name)
def test_pretraining_config_builds(path):
    config = Config.fromfile(path)
    model = build(config)
    gpus, batch = map(int, path.stem.split('_')[2].split('-')[0].split('xb'))
    assert config.train_dataloader.batch_size == batch
    assert config.auto_scale_lr.base_batch_size == gpus * batch
    rates = {'in1k': 0.4 * gpus * batch / 1024, 'cifar10': 0.8, 'svhn': 0.8, 'stl10': 0.1}
    assert config.optim_wrapper.optimizer.lr == pytest.approx(rates[path.stem.split('_')[-1]])
    assert f'-{config.train_cfg.max_epochs}e_' in path.stem
    backbone = config.model.backbone
    network = f'resnet{backbone.depth}' if 'depth' in backbone else backbone.name.replace('_bn', '')
    assert path.stem.split('_')[0].replace('-', '') == network.replace('_', '')
    if backbone.type == 'mmdet.ResNet':
        frozen = (model.backbone.norm_eval, model.backbone.zero_init_residual, model.backbone.frozen_stages)
        assert frozen == (False, False, -1)
    trimmed = config.model.get('partition', {}).get('last_module_layers', 1) - 1
    assert len(model.local_modules()) == (1 if 'bp' in path.parts else len(model.layers) - trimmed)


@pytest.mark.parametrize('path', [p for p in PRETRAINING if 'bp' not in p.parts], ids=name)
def test_a_method_differs_from_bp_in_the_heads_and_the_hook(path):
    assert path.read_text().startswith("_base_ = '../bp/")
    local, plain = Config.fromfile(path), Config.fromfile(path.parent / _base(path))
    local.model.pop('auxiliary_heads')
    local.model.pop('partition', None)
    # Changes memory, but no result.
    assert local.model.pop('checkpointed', None) == ([dict(norms='stem')] if 'resnet34_auglocal' in path.name else None)
    assert local.pop('custom_hooks') == [dict(type='AugLocalHook')]
    assert local.to_dict() == plain.to_dict()


FLIP = dict(type='RandomHorizontalFlip')
RECIPES = {  # augmentation, mean, std; typed from the paper's settings
    'cifar10': (
        [dict(type='Pad', padding=4, padding_mode='reflect'), dict(type='RandomCrop', size=32), FLIP],
        [125.3, 123.0, 113.9],
        [63.0, 62.1, 66.7],
    ),
    'svhn': ([dict(type='RandomCrop', size=32, padding=2)], [127.5] * 3, [127.5] * 3),
    'stl10': ([dict(type='RandomCrop', size=96, padding=4), FLIP], [127.5] * 3, [127.5] * 3),
    'in1k': (
        [dict(type='RandomResizedCrop', size=224), FLIP],
        [123.675, 116.28, 103.53],
        [58.395, 57.12, 57.375],
    ),
}


@pytest.mark.parametrize('path', PRETRAINING, ids=name)
def test_the_recipe_is_the_papers(path):
    config, data = Config.fromfile(path), path.stem.split('_')[-1]
    augmentation, mean, std = RECIPES[data]
    assert config.train_dataloader.dataset.transforms == augmentation
    test = [dict(type='Resize', size=256), dict(type='CenterCrop', size=224)] if data == 'in1k' else []
    assert config.val_dataloader.dataset.get('transforms', []) == test
    assert (config.model.data_preprocessor.mean, config.model.data_preprocessor.std) == (mean, std)
    optimizer = dict(config.optim_wrapper.optimizer)
    assert (optimizer.pop('lr') > 0, optimizer.pop('fused')) == (True, True)
    assert optimizer == dict(type='SGD', momentum=0.9, weight_decay=1e-4, nesterov=True)
    assert 'paramwise_cfg' not in config.optim_wrapper  # norms and biases decay too
    epochs = config.train_cfg.max_epochs
    assert epochs == (90 if path.stem.startswith('vgg13') else 200 if data == 'in1k' else 400)
    cosine = dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True)  # MMEngine ends it with the training
    warm_up = dict(type='LinearLR', start_factor=0.0125, end=10, by_epoch=True)
    assert config.param_scheduler == (cosine if data == 'in1k' else [warm_up, cosine])


@pytest.mark.parametrize('path', [p for p in PRETRAINING if 'auglocal' in p.parts], ids=name)
def test_small_images_are_trimmed_and_pyramidal(path):
    model, depth = Config.fromfile(path).model, int(path.stem.split('auglocal-d')[1][0])
    small = 'in1k' not in path.stem
    assert model.auxiliary_heads.depth == depth
    cheap = dict(pooling=2) if 'pool2' in path.stem else {}
    assert {key: model.auxiliary_heads[key] for key in ('pooling', 'width') if key in model.auxiliary_heads} == cheap
    assert model.auxiliary_heads.get('pyramid', 0.0) == (0.5 if small else 0.0)
    assert model.get('partition', {}) == (dict(last_module_layers=depth) if small else {})
    vgg = path.stem.startswith('vgg')
    assert model.auxiliary_heads.get('shallow_norm', False) == (small and not vgg)
    assert model.auxiliary_heads.get('downsampling', 'stride') == ('max_pool' if vgg else 'stride')


@pytest.mark.parametrize('path', [p for p in PRETRAINING if 'infopro' in p.parts], ids=name)
def test_infopros_weights(path):
    deep = dict(cross_entropy=(0.0, 1.0), reconstruction=(5.0, 0.5))
    shallow = dict(cross_entropy=(0.05, 0.5), reconstruction=(5.0, 0.2))
    expected = deep if path.stem.startswith('resnet110') else shallow
    assert Config.fromfile(path).model.auxiliary_heads.loss_weights == expected


THREE_LINES = [p for p in PRETRAINING if 'auglocal' in p.parts and 'resnet' in p.name and 'in1k' in p.name]


@pytest.mark.parametrize('path', THREE_LINES, ids=name)
def test_auglocal_differs_from_bp_in_three_lines(path):
    assert len(ast.parse(path.read_text()).body) == 3  # one of them may be too long for its line


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
    wide = config.model.backbone.type == 'ResNeXt'
    network, short = ('resnext101_32x8d', 'x101-32x8d') if wide else (f'resnet{depth}', f'r{depth}')
    assert f'{short}-' in path.stem
    if '://' in checkpoint:
        assert checkpoint == f'torchvision://{network}'
    elif 'imported' in path.parts:
        assert checkpoint == f'work_dirs/{network.replace("_", "-")}_imported/backbone.pth'
        control = Config.fromfile(REPOSITORY / name(path).replace('imported', 'torchvision'))
        control.model.backbone.init_cfg.checkpoint = checkpoint
        assert config.to_dict() == control.to_dict()
    else:
        assert (path.parents[1] / f'{Path(checkpoint).parent.name}.py').is_file(), 'the file that writes this backbone'
        assert f'resnet{depth}_' in checkpoint
    assert type(build(config)).__name__ == 'MaskRCNN'


def test_an_import_as_the_readme_says_writes_the_file_that_a_config_reads():
    config = Config.fromfile(IMPORTED / 'benchmarks/mask-rcnn_r101-imported_fpn_8xb2-1x-adamw_coco.py')
    command = f'import_backbone.py FILE {config.model.backbone.init_cfg.checkpoint}\n'
    assert command in (IMPORTED / 'README.md').read_text()


@pytest.mark.parametrize('path', PROJECTS, ids=name)
def test_project_config_builds(path):
    build(Config.fromfile(path))


def test_data_folders_come_from_the_environment(monkeypatch):
    monkeypatch.setenv('IMAGENET', '/somewhere/imagenet')
    monkeypatch.setenv('COCO', '/somewhere/coco')
    config = Config.fromfile(REPOSITORY / 'configs/bp/resnet34_bp_8xb128-200e_in1k.py')
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.data_root == '/somewhere/imagenet'
    config = Config.fromfile(BENCHMARKS[0])
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert loader.dataset.data_root == '/somewhere/coco'
        assert loader.dataset.ann_file.startswith('annotations/instances_')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        assert evaluator.ann_file == '/somewhere/coco/annotations/instances_val2017.json'
