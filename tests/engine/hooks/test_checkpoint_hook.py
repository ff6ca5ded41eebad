import os
import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.engine.hooks import CheckpointHook
from auglocal_mm.engine.hooks.checkpoint_hook import AtomicBackend
from auglocal_mm.errors import InputError


def test_checkpoints_are_written_atomically():
    assert CheckpointHook(max_keep_ckpts=1).backend_args == {'backend': 'atomic'}


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    AtomicBackend().put(b'old', str(path))
    with pytest.raises(TypeError):
        AtomicBackend().put('no bytes', str(path))
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_training_that_cannot_record_its_checkpoints_does_not_start(tiny_config, ten_seconds):
    config = tiny_config('bp')
    pointer = Path(config.work_dir, 'last_checkpoint')
    pointer.parent.mkdir()
    os.mkfifo(pointer)
    with pytest.raises(InputError, match=f'{pointer}.*pipe'):
        Runner.from_cfg(config).train()
    assert not list(pointer.parent.glob('*.pth'))


def test_another_number_of_processes_is_logged(tiny_config, tmp_path):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    checkpoint = torch.load(f'{config.work_dir}/epoch_1.pth', weights_only=False)
    assert checkpoint['meta']['world_size'] == 1
    checkpoint['meta']['world_size'] = 4
    torch.save(checkpoint, tmp_path / 'four.pth')
    for path, told in ((f'{config.work_dir}/epoch_1.pth', False), (tmp_path / 'four.pth', True)):
        work_dir = tmp_path / path.split('/')[-1] if isinstance(path, str) else tmp_path / 'resumed'
        Runner.from_cfg(tiny_config('bp', load_from=str(path), resume=True, work_dir=str(work_dir))).train()
        (log,) = work_dir.glob('*/*.log')
        assert ('4 processes' in log.read_text()) == told


@pytest.mark.parametrize(('by_epoch', 'saved'), [(True, 'epoch_1.pth'), (False, 'iter_1.pth')])
def test_a_training_by_iterations_that_saves_by_epochs_is_told(tiny_config, by_epoch, saved):
    training = dict(_delete_=True, by_epoch=False, max_iters=2)
    config = tiny_config('bp', **{'train_cfg': training, 'default_hooks.checkpoint.by_epoch': by_epoch})
    Runner.from_cfg(config).train()
    (log,) = Path(config.work_dir).glob('*/*.log')
    assert ('default_hooks.checkpoint counts epochs' in log.read_text()) == by_epoch
    assert Path(config.work_dir, saved).is_file()


class PoisonHook(Hook):
    """Makes a tensor NaN after the last update, where no loss shows it any more."""

    def __init__(self, choose) -> None:
        self.choose = choose

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 5:
            with torch.no_grad():
                self.choose(runner)[0] = float('nan')


@pytest.mark.parametrize(
    ('method', 'named', 'choose'),
    [
        ('bp', 'state_dict.backbone.bn1.weight', lambda runner: runner.model.backbone.bn1.weight),
        ('auglocal', 'state_dict.backbone.bn1.running_var', lambda runner: runner.model.backbone.bn1.running_var),
        (
            'auglocal',
            'optimizer.stem.state.0.momentum_buffer',
            lambda runner: next(iter(runner.optim_wrapper['stem'].optimizer.state.values()))['momentum_buffer'],
        ),
    ],
)
def test_nothing_that_is_not_finite_is_saved(tiny_config, method, named, choose):
    config = tiny_config(method)
    runner = Runner.from_cfg(config)
    runner.register_hook(PoisonHook(choose))
    with pytest.raises(InputError, match=rf'{re.escape(named)}.*\bnan\b.*\b6\b.*/epoch_1\.pth'):
        runner.train()
    assert sorted(path.name for path in Path(config.work_dir).glob('*.pth')) == ['epoch_1.pth']


def test_averaged_weights_are_looked_at_and_no_checkpoint_is_named_that_is_none_of_this_training(tiny_config):
    settings = {'custom_hooks': [dict(type='PrimaryEMAHook')], 'default_hooks.checkpoint.interval': 2}
    config = tiny_config('bp', **settings)
    Path(config.work_dir).mkdir()
    Path(config.work_dir, 'epoch_2.pth').write_bytes(b'of another run')
    runner = Runner.from_cfg(config)
    average = next(hook for hook in runner.hooks if hasattr(hook, 'ema_cfg'))
    runner.register_hook(PoisonHook(lambda _: average.ema_model.module['head'].fc.bias))
    with pytest.raises(InputError, match=r'head\.fc\.bias.*\bnan\b.*\b6\b') as error:
        runner.train()
    assert '.pth' not in str(error.value)
    assert Path(config.work_dir, 'epoch_2.pth').read_bytes() == b'of another run'


def test_a_checkpoint_that_is_not_finite_is_not_resumed_from(tiny_config, tmp_path):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    checkpoint = torch.load(f'{config.work_dir}/epoch_1.pth', weights_only=False)
    checkpoint['optimizer']['state'][0]['momentum_buffer'][0] = float('inf')
    torch.save(checkpoint, tmp_path / 'damaged.pth')
    with pytest.raises(InputError, match=r'damaged\.pth.*optimizer\.state\.0\.momentum_buffer.*\binf\b'):
        runner = Runner.from_cfg(tiny_config('bp', load_from=str(tmp_path / 'damaged.pth'), resume=True))
        runner.cfg.pop('resume')  # as in a runner that was built without a config
        runner.train()


@pytest.mark.parametrize(('scaler', 'refused'), [({'scale': 1024.0}, False), ({}, True), (None, True)])
def test_gradients_that_a_loss_scaler_will_look_at_may_be_infinite(tiny_config, scaler, refused):
    runner = Runner.from_cfg(tiny_config('bp'))
    runner.model.head.fc.bias.grad = torch.full((3,), float('inf'))
    optimizer = {} if scaler is None else {'loss_scaler': scaler}
    checkpoint = {'meta': {'iter': 1}, 'state_dict': {}, 'optimizer': optimizer}
    with pytest.raises(InputError, match=r'gradients\.head\.fc\.bias.*\binf\b') if refused else nullcontext():
        CheckpointHook().before_save_checkpoint(runner, checkpoint)
