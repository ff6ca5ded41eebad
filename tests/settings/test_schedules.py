"""Trainings that their schedules do not fit."""

import math

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tests_support import REPOSITORY

from auglocal_mm.settings import schedules
from auglocal_mm.settings.config_file import read_config_file

COSINE, STEPS = dict(type='CosineAnnealingLR', T_max=8), dict(type='MultiStepLR', milestones=[4, 7], end=8)
WARM_UP = dict(type='LinearLR', end=6)
MOMENTUM = dict(type='CosineAnnealingParamScheduler', param_name='momentum', begin=2, T_max=8)
EPOCHS, ITERATIONS = 'max_epochs', 'max_iters'


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr(schedules, 'print_log', lambda message, **_: messages.append(message))
    return messages


@pytest.mark.parametrize(
    ('unit', 'last', 'schedule', 'late'),
    [
        (EPOCHS, 7, COSINE, ['CosineAnnealingLR in param_scheduler lasts until epoch 8', 'after epoch 7']),
        (EPOCHS, 8, COSINE, []),
        (EPOCHS, 9, COSINE, []),
        (EPOCHS, 10, COSINE, ['CosineAnnealingLR', 'after epoch 8,', 'epoch 10', 'end=9']),
        (EPOCHS, 10, {**COSINE, 'end': 9}, []),
        (EPOCHS, 9, [MOMENTUM], ['CosineAnnealingParamScheduler', 'epoch 10']),
        (EPOCHS, 10, [MOMENTUM], []),
        (EPOCHS, 7, [STEPS], ['MultiStepLR', 'epoch 8']),
        (EPOCHS, 8, [STEPS], []),
        (EPOCHS, 5, [WARM_UP, {**COSINE, 'T_max': None}], ['LinearLR', 'epoch 6']),
        (EPOCHS, 6, [WARM_UP, dict(type='CosineAnnealingLR')], []),
        (EPOCHS, 5, [{**WARM_UP, 'by_epoch': False}], []),
        (ITERATIONS, 5, [{**WARM_UP, 'by_epoch': False}], ['LinearLR', 'iteration 6', 'after iteration 5']),
        (ITERATIONS, 6, [{**WARM_UP, 'by_epoch': False}], []),
        (ITERATIONS, 8, COSINE, ['CosineAnnealingLR', 'by_epoch=False']),
        (ITERATIONS, 8, [{**COSINE, 'convert_to_iter_based': True}, dict(type='ReduceOnPlateauLR')], []),
        (EPOCHS, 5, None, []),
    ],
)
def test_a_schedule_that_ends_after_the_training_is_told(said, unit, last, schedule, late):
    schedules.warn_of_schedules(Config({'train_cfg': {unit: last}, 'param_scheduler': schedule}))
    assert len(said) == bool(late)
    assert all(words in said[0] for words in late)


def test_iterations_of_all_epochs_are_those_of_one_process(said):
    config = Config(dict(train_cfg={EPOCHS: 3}, param_scheduler={**WARM_UP, 'by_epoch': False}))
    for epoch_length in (2, 1):
        schedules.warn_of_schedules(config, epoch_length)
        assert len(said) == {2: 0, 1: 1}[epoch_length]
    assert 'LinearLR' in said[0] and 'iteration 6' in said[0] and 'after iteration 3' in said[0]


def test_a_detector_that_trains_for_fewer_epochs_is_told(said):
    path = REPOSITORY / 'configs/torchvision/benchmarks/mask-rcnn_r34-torchvision_fpn_8xb2-1x-adamw_coco.py'
    for epochs in (12, 11, 2):
        schedules.warn_of_schedules(read_config_file(str(path), {'train_cfg.max_epochs': epochs}))
        assert len(said) == {12: 0, 11: 1, 2: 2}[epochs]
    assert 'MultiStepLR' in said[0] and 'epoch 12,' in said[0]


@pytest.mark.parametrize('unit', [EPOCHS, ITERATIONS])
@pytest.mark.parametrize('name', ['resnet34_bp_8xb128-200e_in1k', 'resnet32_bp_1xb1024-400e_cifar10'])
def test_our_learning_rates_fall_over_the_whole_training_however_long(tiny_config, said, name, unit):
    schedule = read_config_file(str(REPOSITORY / f'configs/bp/{name}.py')).param_scheduler
    cosine = schedule[-1] if isinstance(schedule, list) else schedule
    by_epoch = unit == EPOCHS
    config = tiny_config('bp', train_cfg=dict(_delete_=True, by_epoch=by_epoch, **{unit: 15}))
    config.param_scheduler = {**cosine, 'by_epoch': by_epoch}
    runner = Runner.from_cfg(config)
    assert runner.train_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    (scheduler,) = runner.build_param_scheduler(config.param_scheduler)
    start = config.optim_wrapper.optimizer.lr
    for step in range(15):
        assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(start * (1 + math.cos(math.pi * step / 15)) / 2)]
        scheduler.step()
    schedules.warn_of_schedules(config)
    assert not said
