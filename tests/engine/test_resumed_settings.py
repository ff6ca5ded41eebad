"""Settings that are changed for a resume."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from auglocal_mm.errors import InputError

LR = 'optim_wrapper.optimizer.lr'
COSINE = dict(type='CosineAnnealingLR', T_max=4, by_epoch=True)
WARM_UP = dict(type='LinearLR', start_factor=0.25, end=2, by_epoch=True, convert_to_iter_based=True)
PLATEAU = dict(type='ReduceOnPlateauLR', monitor='accuracy/top1', rule='greater')
AMP = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'float16'}

MADE: dict[str, bytes] = {}
"""Checkpoints by what they were made with."""


def resume(config, checkpoint) -> Runner:
    """A runner as it is when its training goes on: with all that comes from the config and the checkpoint."""
    config.load_from, config.resume = str(checkpoint), True
    runner = Runner.from_cfg(config)
    assert runner.train_loop
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers or [])
    runner.call_hook('before_run')
    runner.load_or_resume()
    return runner


@pytest.fixture
def saved(tiny_config, tmp_path):
    """Makes the checkpoint that a training with these settings leaves after the first of four epochs, without training."""

    def make(epoch: int = 1, **settings) -> Path:
        path, key = tmp_path / 'saved.pth', repr((epoch, settings))
        if key not in MADE:
            train(epoch, settings)
            MADE[key] = path.read_bytes()
        path.write_bytes(MADE[key])
        return path

    def train(epoch: int, settings: dict) -> None:
        config = tiny_config('bp', **{'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], **settings})
        runner = Runner.from_cfg(config)
        runner.train_loop._epoch, runner.train_loop._iter = epoch - 1, 3 * epoch
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        runner.call_hook('before_run')
        for parameter in runner.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        runner.optim_wrapper.optimizer.step()
        runner.optim_wrapper.optimizer.zero_grad()
        for scheduler in runner.param_schedulers:
            for _ in range(epoch if scheduler.by_epoch else 3 * epoch):
                scheduler.step()
        runner.save_checkpoint(str(tmp_path), 'saved.pth')

    return make


def log(runner: Runner) -> str:
    return Path(runner.log_dir, f'{runner.timestamp}.log').read_text()


@pytest.mark.parametrize(
    ('changes', 'key', 'value', 'named'),
    [
        ({LR: 0.005}, 'lr', 0.005 * 0.8535534, 'optimizer.lr 0.01 -> 0.005'),
        ({'optim_wrapper.optimizer.weight_decay': 0.5}, 'weight_decay', 0.5, 'optimizer.weight_decay 0.0001 -> 0.5'),
        ({'optim_wrapper.optimizer.momentum': 0.5}, 'momentum', 0.5, 'optimizer.momentum 0.9 -> 0.5'),
        ({'param_scheduler': [{**COSINE, 'T_max': 2}]}, 'lr', 0.005, 'CosineAnnealingLR.T_max 4 -> 2'),
        ({'param_scheduler': [{**COSINE, 'eta_min': 0.01}]}, 'lr', 0.01, 'CosineAnnealingLR.eta_min 0.0 -> 0.01'),
        ({'train_cfg.max_epochs': 6}, 'lr', 0.01 * 0.8535534, 'CosineAnnealingLR.end 4 -> 6'),
        ({'param_scheduler': [dict(type='StepLR', step_size=1)]}, 'lr', 0.001, 'StepLR.step_size none -> 1'),
        ({'param_scheduler': None}, 'lr', 0.01, '1 -> 0 schedulers'),
        # Three of six iterations: a quarter and three fifths of the rest, times the cosine of the first epoch.
        ({'param_scheduler': [WARM_UP, COSINE]}, 'lr', 0.01 * 0.7 * 0.8535534, '1 -> 2 schedulers'),
        ({'auto_scale_lr': dict(base_batch_size=16, enable=True)}, 'lr', 0.005 * 0.8535534, 'lr 0.01 -> 0.005'),
    ],
)
def test_a_change_takes_effect_as_if_it_had_been_so_from_the_start(tiny_config, saved, changes, key, value, named):
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], **changes}
    runner = resume(tiny_config('bp', **settings), saved())
    (group,) = runner.optim_wrapper.optimizer.param_groups
    assert group[key] == pytest.approx(value)
    assert named in log(runner)
    assert all('momentum_buffer' in state for state in runner.optim_wrapper.optimizer.state.values())


def test_without_a_change_nothing_is_said_and_all_is_as_it_was(tiny_config, saved):
    for schedulers in ([WARM_UP, COSINE], [PLATEAU]):
        path = saved(param_scheduler=schedulers)
        runner = resume(tiny_config('bp', **{'train_cfg.max_epochs': 4, 'param_scheduler': schedulers}), path)
        groups = torch.load(path, weights_only=False)['optimizer']['param_groups']
        assert groups == runner.optim_wrapper.optimizer.state_dict()['param_groups']
        assert '->' not in log(runner)


def test_half_the_rate_equals_a_continuation_that_was_made_by_hand(tiny_config, tmp_path):
    Runner.from_cfg(tiny_config('bp', work_dir=str(tmp_path / 'whole'))).train()
    first = tmp_path / 'whole' / 'epoch_1.pth'
    by_hand = torch.load(first, weights_only=False)
    for group in by_hand['optimizer']['param_groups']:
        group.update(lr=group['lr'] / 2, initial_lr=group['initial_lr'] / 2)
    (scheduler,) = by_hand['param_schedulers']
    scheduler.update({key: [value / 2 for value in scheduler[key]] for key in ('base_values', '_last_value')})
    torch.save(by_hand, tmp_path / 'by_hand.pth')
    states = []
    for path in (first, tmp_path / 'by_hand.pth'):
        config = tiny_config('bp', work_dir=str(tmp_path / 'resumed'), load_from=str(path), resume=True, **{LR: 0.005})
        runner = Runner.from_cfg(config)
        runner.train()
        states.append(runner.model.state_dict())
    assert [name for name in states[0] if not torch.equal(states[0][name], states[1][name])] == []


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'randomness.seed': 1}, r'randomness\.seed.*\b1\b.*saved\.pth.*\b0\b'),
        ({'train_cfg.max_epochs': 2}, r'max_epochs.*\b2\b.*saved\.pth.*\b3\b'),
        (
            {'optim_wrapper.optimizer': dict(_delete_=True, type='AdamW', lr=0.01)},
            r'optimizer\.type.*AdamW.*SGD',
        ),
        ({'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)}, r'saved\.pth.*paramwise_cfg'),
        ({'param_scheduler': [PLATEAU], LR: 0.005}, r'optimizer\.lr 0\.01 -> 0\.005.*ReduceOnPlateauLR'),
    ],
)
def test_what_cannot_take_effect_is_refused(tiny_config, saved, changes, words):
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], **changes}
    with pytest.raises(InputError, match=words):
        resume(tiny_config('bp', **settings), saved(epoch=3))


def by(name: str, **options) -> dict:
    """Settings of a training by another optimizer."""
    optimizer = dict(_delete_=True, type=name, **{'lr': 0.01, **options})
    return {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], 'optim_wrapper.optimizer': optimizer}


@pytest.mark.parametrize(
    ('optimizer', 'key', 'old', 'new'),
    [
        ('AdamW', 'amsgrad', False, True),
        ('RMSprop', 'centered', False, True),
        ('RMSprop', 'momentum', 0, 0.9),
        ('Adagrad', 'initial_accumulator_value', 0, 2.0),
        ('Rprop', 'lr', 0.01, 0.02),
    ],
)
def test_a_setting_that_comes_too_late_is_refused(tiny_config, saved, optimizer, key, old, new):
    with pytest.raises(InputError, match=rf'optimizer\.{key}.*\b{new}\b.*saved\.pth.*\b{old}\b'):
        resume(tiny_config('bp', **by(optimizer, **{key: new})), saved(**by(optimizer, **{key: old})))


def test_an_optimizer_with_the_same_settings_is_another_one(tiny_config, saved):
    with pytest.raises(InputError, match=r'optimizer\.type.*\bRAdam\b.*\bAdam\b'):
        resume(tiny_config('bp', **by('RAdam')), saved(**by('Adam')))


@pytest.mark.parametrize('fused', [False, True])
def test_momentum_of_sgd_may_begin_later(tiny_config, saved, fused):
    runner = resume(tiny_config('bp', **by('SGD', momentum=0.9, fused=fused)), saved(**by('SGD', fused=fused)))
    optimizer, weight = runner.optim_wrapper.optimizer, runner.model.head.fc.bias
    for parameter in runner.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert torch.equal(optimizer.state[weight]['momentum_buffer'], torch.ones(3))


def test_rates_of_single_parameters_change_too(tiny_config, saved):
    paramwise = {'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)}
    path = saved(**paramwise)
    other = {'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.5, bias_lr_mult=2.0)}
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE]}
    runner = resume(tiny_config('bp', **settings, **other), path)
    expected = Runner.from_cfg(tiny_config('bp', **settings, **other))
    expected = expected.build_optim_wrapper(expected.optim_wrapper).param_groups
    groups = runner.optim_wrapper.param_groups  # with MMEngine's own, of the base rate
    assert [group['initial_lr'] for group in groups] == [group['lr'] for group in expected]
    assert [group['weight_decay'] for group in groups] == [group['weight_decay'] for group in expected]


def test_another_size_of_batches_counts_other_iterations(tiny_config, saved):
    schedulers = [dict(type='CosineAnnealingLR', T_max=4, by_epoch=True, convert_to_iter_based=True)]
    path = saved(param_scheduler=schedulers)
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': schedulers, 'train_dataloader.batch_size': 4}
    runner = resume(tiny_config('bp', **settings), path)
    assert (runner.epoch, runner.iter) == (1, 6)
    (group,) = runner.optim_wrapper.optimizer.param_groups
    assert group['lr'] == pytest.approx(0.01 * 0.8535534)
    assert re.search(r'saved\.pth.*\b3\b.*\b6\b.*epoch 2, iteration 7', log(runner))


def test_a_checkpoint_from_the_middle_of_an_epoch_resumes_from_its_beginning(tiny_config, saved):
    schedulers = [dict(type='CosineAnnealingLR', T_max=12, by_epoch=False)]
    path = saved(param_scheduler=schedulers)
    checkpoint = torch.load(path, weights_only=False)
    checkpoint['meta']['iter'] = 5
    checkpoint['local_learning'] = {'gradients': {'head.fc.bias': torch.ones(3)}}
    torch.save(checkpoint, path)
    runner = resume(tiny_config('bp', **{'train_cfg.max_epochs': 4, 'param_scheduler': schedulers}), path)
    assert (runner.epoch, runner.iter) == (1, 3)
    assert re.search(r'saved\.pth.*\b5\b.*epoch 2, iteration 4', log(runner))
    runner.call_hook('before_train')
    assert runner.model.head.fc.bias.grad is None, 'it is recomputed'


def test_a_run_without_a_seed_draws_its_batches_as_before(tiny_config, saved):
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], 'randomness.seed': None}
    path = saved(**settings)
    runner = resume(tiny_config('bp', **settings), path)
    assert runner.train_dataloader.sampler.seed == torch.load(path, weights_only=False)['meta']['seed'] == runner.seed


def test_another_scaling_of_the_loss_takes_effect(tiny_config, saved):
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE]}
    growth = {**AMP, 'optim_wrapper.loss_scale': dict(growth_interval=7)}
    runner = resume(tiny_config('bp', **settings, **growth), saved(**AMP))
    assert runner.optim_wrapper.loss_scaler.get_growth_interval() == 7
    assert 'loss_scale.growth_interval 2000 -> 7' in log(runner)
    # From a scaler of bfloat16, which does nothing and has no state.
    resume(tiny_config('bp', **settings, **AMP), saved(**{**AMP, 'optim_wrapper.dtype': 'bfloat16'}))


@pytest.mark.parametrize('given', [128.0, dict(init_scale=128.0)])
def test_another_first_scale_of_the_loss_takes_effect(tiny_config, saved, given):
    other = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE], **AMP, 'optim_wrapper.loss_scale': given}
    runner = resume(tiny_config('bp', **other), saved(**AMP))
    assert runner.optim_wrapper.loss_scaler.get_scale() == 128
    assert 'loss_scale 65536.0 -> 128.0' in log(runner)


def test_a_scale_that_was_found_stays(tiny_config, saved):
    path = saved(**AMP)
    checkpoint = torch.load(path, weights_only=False)
    checkpoint['optimizer']['loss_scaler']['scale'] = 4.0
    torch.save(checkpoint, path)
    settings = {'train_cfg.max_epochs': 4, 'param_scheduler': [COSINE]}
    assert resume(tiny_config('bp', **settings, **AMP), path).optim_wrapper.loss_scaler.get_scale() == 4


def test_averaged_weights_are_not_taken_for_those_that_train(tiny_config, saved):
    path = saved()
    checkpoint = torch.load(path, weights_only=False)
    torch.save({**checkpoint, 'ema_state_dict': {}}, path)
    with pytest.raises(InputError, match=r'saved\.pth.*EMA.*custom_hooks'):
        resume(tiny_config('bp'), path)


def test_optimizers_of_other_local_modules_are_refused(tiny_config, tmp_path):
    config = tiny_config(**{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    checkpoint = torch.load(f'{config.work_dir}/epoch_1.pth', weights_only=False)
    first, *_ = modules = list(checkpoint['optimizer'])
    others = {f'other-{name}': state for name, state in checkpoint['optimizer'].items()}
    for optimizer, said in ((checkpoint['optimizer'][first], 'one optimizer'), (others, f'other-{first}')):
        torch.save({**checkpoint, 'optimizer': optimizer}, tmp_path / 'saved.pth')
        resumed = tiny_config(load_from=str(tmp_path / 'saved.pth'), resume=True)
        with pytest.raises(InputError, match=rf'saved\.pth.*{said}.*{modules[1]}'):
            Runner.from_cfg(resumed).train()
