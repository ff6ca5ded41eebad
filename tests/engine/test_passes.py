"""Trainings that count iterations instead of epochs."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner, loops

from auglocal_mm.datasets import ImageFolder
from auglocal_mm.engine.passes import IndexOfPass, PassSampler

DROPOUT = dict(type='VGGHead', pooled=1, hidden=8)


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """MMEngine sleeps for two seconds after each pass over the data."""
    monkeypatch.setattr(loops.time, 'sleep', lambda seconds: None)


@pytest.fixture
def by_iteration(tiny_config):
    """Six iterations in two passes of three, a checkpoint after every second, validation after every fourth."""

    def make(method: str = 'bp', max_iters: int = 6, **overrides):
        settings = {
            'log_processor.by_epoch': False,
            'default_hooks.checkpoint.by_epoch': False,
            'default_hooks.checkpoint.interval': 2,
            'default_hooks.checkpoint.max_keep_ckpts': -1,
            'param_scheduler': dict(type='CosineAnnealingLR', T_max=6, by_epoch=False),
            **overrides,
        }
        config = tiny_config(method, **settings)
        config.train_cfg = dict(by_epoch=False, max_iters=max_iters, val_interval=4)
        return config

    return make


def train(config, *hooks: Hook) -> Runner:
    runner = Runner.from_cfg(config)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    del runner.train_loop.dataloader_iterator  # so that its workers end now, and not when garbage is collected
    return runner


class Batches(Hook):
    """Keeps what was trained on."""

    def __init__(self) -> None:
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        sums = torch.stack(list(data_batch['inputs'])).double().sum((1, 2, 3))
        self.seen.append(sorted(zip(map(int, data_batch['data_samples']), sums.tolist(), strict=True)))


@pytest.mark.parametrize(('sampler', 'workers'), [('DefaultSampler', 0), ('DefaultSampler', 1), ('InfiniteSampler', 1)])
def test_every_pass_is_augmented_anew_and_a_resume_in_its_middle_equals_never_stopped(
    by_iteration, tmp_path, sampler, workers
):
    settings = {
        'model.head': DROPOUT,
        'train_dataloader.sampler.type': sampler,
        'train_dataloader.num_workers': workers,
    }
    whole, batches = by_iteration(work_dir=str(tmp_path / 'whole'), **settings), Batches()
    never_stopped = train(whole, batches).model.state_dict()
    values = [value for batch in batches.seen for _, value in batch]
    assert len(values) == 48 and len(set(values)) > 44, 'or an image was cropped the same way in both passes'
    resumed = by_iteration(work_dir=str(tmp_path / 'resumed'), **settings)
    resumed.load_from, resumed.resume = str(tmp_path / 'whole' / 'iter_4.pth'), True
    again = Batches()
    state = train(resumed, again).model.state_dict()
    assert again.seen == batches.seen[4:]
    assert [name for name in state if not torch.equal(state[name], never_stopped[name])] == []


def test_accuracy_iteration_and_epoch_are_those_of_the_weights(by_iteration):
    config = by_iteration()
    train(config)
    saved = {n: torch.load(f'{config.work_dir}/iter_{n}.pth', weights_only=False)['meta'] for n in (2, 4, 6)}
    assert [saved[n]['auglocal_mm']['accuracy'] for n in (2, 4, 6)] == [{}, {}, {}]
    description = json.loads(Path(config.work_dir, 'backbone.json').read_text())
    assert (description['iteration'], description['epoch']) == (6, 2)
    assert 0 <= description['accuracy']['accuracy/top1'] <= 100


def test_layers_freeze_at_their_iteration(by_iteration):
    hooks = [dict(type='AugLocalHook'), dict(type='FreezeAuxiliaryHook', start=0.5, end=1.0)]
    config = by_iteration('auglocal', custom_hooks=hooks)
    train(config)
    states = [torch.load(f'{config.work_dir}/iter_{n}.pth', weights_only=False)['state_dict'] for n in (2, 4, 6)]
    name = 'auxiliary_heads.0.layers.{}.conv1.weight'
    # The first of two hidden layers from the fourth of six iterations on, the second from 4.5, the sixth, on.
    three = [state[name.format(0)] for state in states]
    assert not torch.equal(three[0], three[1]) and torch.equal(three[1], three[2])
    assert not torch.equal(states[1][name.format(1)], states[2][name.format(1)])


def test_gradients_that_accumulate_over_a_checkpoint_are_resumed_with(by_iteration, tmp_path):
    settings = {'optim_wrapper.accumulative_counts': 4}
    expected = train(by_iteration(work_dir=str(tmp_path / 'whole'), **settings)).model.state_dict()
    resumed = by_iteration(work_dir=str(tmp_path / 'resumed'), **settings)
    resumed.load_from, resumed.resume = str(tmp_path / 'whole' / 'iter_2.pth'), True
    state = train(resumed).model.state_dict()
    assert [name for name in state if not torch.equal(state[name], expected[name])] == []


def test_an_index_of_a_pass_reaches_the_parts_of_joined_data_sets(image_folder):
    data = ImageFolder(str(image_folder), 'train', [dict(type='RandomCrop', size=32, padding=8)])
    data.set_epoch(0, 1)
    expected = data[5]['inputs']
    data.set_epoch(0, 0)
    assert not torch.equal(data[5]['inputs'], expected)
    for index in (IndexOfPass.of(5, 1), IndexOfPass.of(29, 1) % 24, IndexOfPass.of(10, 1) - 5):
        assert torch.equal(data[index]['inputs'], expected)


def test_passes_are_counted_over_all_processes():
    class Every(list):
        rank, world_size, size = 1, 2, 3

    # Of the stream 0 1 2 | 0 1 2 | ... the second of two processes draws places 1, 3, 5, 7.
    drawn = list(PassSampler(Every([1, 0, 2, 1]), 0))
    assert [index.epoch for index in drawn] == [0, 1, 1, 2]
    assert [index.epoch for index in PassSampler(Every([2, 1]), 2)] == [1, 2]
