"""Misspelt configs, found before anything is built; and configs that run, in which nothing may be found."""

from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError
from auglocal_mm.registry import MODELS
from auglocal_mm.settings.config_parts import check_parts

RUNNING = [
    *sorted((REPOSITORY / 'configs').glob('*/**/*_*.py'))[::8],
    *sorted(Path(mmdet.__file__).parent.glob('.mim/configs/mask_rcnn/*_coco.py'))[::4],
    *sorted(Path(mmdet.__file__).parent.glob('.mim/configs/[dry]*/[a-z]*_coco.py'))[::16],
]


class Wheel:
    def __init__(self, radius: float, spokes=8):
        self.radius = radius


class Tricycle(Wheel):
    def __init__(self, colour='red', **options):
        super().__init__(**options)


class Wagon:
    """Passes keys on to something else than a base class."""

    def __init__(self, length=2, **options):
        self.wheel = Wheel(**options)


@pytest.fixture
def registered(monkeypatch):
    for cls in (Wheel, Tricycle, Wagon):
        monkeypatch.setitem(ROOT.module_dict, cls.__name__, cls)


def refusal(**config) -> str:
    with pytest.raises(InputError) as refused:
        check_parts(Config({'default_scope': 'auglocal_mm', **config}))
    return str(refused.value)


@pytest.mark.parametrize(
    ('part', 'words'),
    [
        (dict(type='Weel', radius=1), ("model.type is 'Weel'", 'Wheel')),
        (dict(type='Qqqq'), ("'Qqqq'", 'custom_imports')),
        (dict(type='nowhere.Wheel'), ("'nowhere.Wheel'", 'nowhere installed')),
        (dict(type='Wheel', spoke=3), ('model (Wheel)', "'spoke'", 'spokes', '_delete_=True')),
        (dict(type='Wheel', zzz=3), ('model (Wheel)', "'zzz'", 'radius, spokes')),
        (dict(type='Tricycle', colour='red', spoke=3), ('Tricycle', "'spoke'", 'spokes')),
        (dict(type='Wagon', lenght=3), ('Wagon', "'lenght'", 'length')),
    ],
)
def test_misspelt_types_and_keys_are_named(part, words, registered):
    found = refusal(model=part)
    assert all(word in found for word in words), found


@pytest.mark.parametrize(
    ('key', 'part', 'words'),
    [
        ('train_cfg', dict(max_epoch=3), ('train_cfg (EpochBasedTrainLoop)', "'max_epoch'", 'max_epochs')),
        ('train_cfg', dict(by_epoch=False, max_iter=3), ('train_cfg (IterBasedTrainLoop)', "'max_iter'", 'max_iters')),
        (
            'train_cfg',
            dict(type='EpochBasedTrainLop'),
            ("train_cfg.type is 'EpochBasedTrainLop'", 'EpochBasedTrainLoop'),
        ),
        ('val_cfg', dict(fp_16=True), ('val_cfg (ValLoop)', "'fp_16'", 'fp16')),
        ('test_cfg', dict(type='TestLoop', fp61=True), ('test_cfg (TestLoop)', "'fp61'", 'fp16')),
        ('randomness', dict(sed=1), ('randomness', "'sed'", 'seed')),
        (
            'log_processor',
            dict(type='LogProcessor', window=9),
            ('log_processor (LogProcessor)', "'window'", 'window_size'),
        ),
    ],
)
def test_misspelt_settings_of_the_runner_are_named(key, part, words):
    found = refusal(**{key: part})
    assert all(word in found for word in words), found


def test_parts_are_found_wherever_they_stand(registered):
    wheel = dict(type='Wheel', spoke=3)
    cases = {
        'model.backbone': dict(model=dict(type='Wagon', backbone=wheel)),
        'custom_hooks.1': dict(custom_hooks=[dict(type='AugLocalHook'), dict(type='IterTimerHook', spoke=3)]),
        'default_hooks.logger': dict(default_hooks=dict(logger=dict(type='LoggerHook', intervall=3))),
        'train_dataloader.sampler': dict(train_dataloader=dict(sampler=dict(type='DefaultSampler', shufle=True))),
        'val_dataloader.dataset.dataset': dict(
            val_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(type='ImageFolder', rot='/')))
        ),
        'optim_wrapper.optimizer': dict(
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', learning_rate=1))
        ),
        'param_scheduler': dict(param_scheduler=dict(type='CosineAnnealingLR', T_min=3)),
        'val_evaluator': dict(val_evaluator=dict(type='Accuracy', top=(1,))),
    }
    for key, config in cases.items():
        assert refusal(**config).startswith(f'{key} ('), key


@pytest.mark.parametrize(
    ('part', 'words'),
    [
        (dict(type='AugLocalHead', depth='deep'), ("model.auxiliary_heads.depth is 'deep'", 'int')),
        (dict(type='AugLocalHead', depth=True), ('model.auxiliary_heads.depth is True', 'int')),
    ],
)
def test_values_of_our_own_keys_have_the_type_that_is_declared(part, words):
    found = refusal(model=dict(type='ImageClassifier', auxiliary_heads=part))
    assert all(word in found for word in words), found


@pytest.mark.parametrize(
    ('key', 'part', 'name'),
    [
        ('auxiliary_heads', dict(type='AugLocalHead'), 'depth'),
        ('auxiliary_heads', dict(type='ConvolutionHead'), 'depth'),
        ('auxiliary_heads', dict(type='MANHead'), 'head'),
        ('backbone', dict(type='CIFARResNet'), 'depth'),
        ('head', dict(type='LinearHead'), 'num_classes'),
    ],
)
def test_missing_keys_of_our_own_classes_are_named(key, part, name):
    whole = dict(backbone=dict(type='CIFARResNet', depth=20), head=dict(type='LinearHead', num_classes=2))
    found = refusal(model=dict(type='ImageClassifier', **{**whole, key: part}))
    assert f'model.{key} ({part["type"]})' in found and f'set model.{key}.{name}' in found


def test_what_builds_a_part_adds_its_other_keys():
    heads = dict(type='AugLocalHead', depth=2, classifier=dict(type='LinearHead'))
    model = dict(type='ImageClassifier', backbone=dict(type='CIFARResNet', depth=20), auxiliary_heads=heads)
    check_parts(
        Config(dict(default_scope='auglocal_mm', model={**model, 'head': dict(type='LinearHead', num_classes=2)}))
    )


def test_a_class_without_keys_says_so():
    assert 'takes none' in refusal(model=dict(type='ImageClassifier', auxiliary_heads=dict(type='DGLHead', depth=2)))


def test_a_part_that_will_be_built_is_no_value_of_a_wrong_type():
    wrapper = dict(type='auglocal_mm.AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    check_parts(Config(dict(default_scope='auglocal_mm', optim_wrapper=wrapper)))


def test_the_depths_of_a_backbone_are_named():
    found = refusal(model=dict(type='ImageClassifier', backbone=dict(type='mmdet.ResNet', depth=35)))
    assert 'model.backbone.depth is 35' in found and '18, 34, 50, 101, 152' in found


def test_what_a_class_passes_on_is_its_own_affair(registered):
    check_parts(Config(dict(model=dict(type='Wagon', radius=2, zzz=3))))


def test_what_is_named_like_a_part_and_is_none_is_left_alone():
    check_parts(Config(dict(model=dict(train_cfg=dict(sampler=dict(type='RandomSampler', num=256))))))
    check_parts(Config(dict(optim_wrapper=dict(type='OptimWrapper', paramwise_cfg=dict(backbone=dict(lr_mult=0.1))))))


@pytest.mark.parametrize('path', RUNNING, ids=lambda path: path.stem)
def test_nothing_is_found_in_configs_that_run(path):
    check_parts(Config(Config.fromfile(path).to_dict()))


def test_the_registry_is_the_scope_of_the_config():
    """mmdet's configs name mmdet's classes, ours name ours first."""
    assert MODELS.get('ImageClassifier') is not None
    assert 'ImageClassifier' in refusal(default_scope='mmdet', model=dict(type='ImageClassifier'))
