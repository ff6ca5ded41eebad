import json
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner
from tests_training import stages
from torch import Tensor

from auglocal_mm.errors import InputError


def train(config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def weights(runner: Runner, prefix: str = '') -> dict[str, Tensor]:
    return {name: value.clone() for name, value in runner.model.state_dict().items() if name.startswith(prefix)}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different


def scalars(config) -> list[dict]:
    (path,) = Path(config.work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_module_trains_and_the_backbone_is_written(tiny_config):
    config = tiny_config()
    runner = Runner.from_cfg(config)
    runner.model.init_weights()
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    unchanged = [name for name, value in runner.model.named_parameters() if torch.equal(value, before[name])]
    assert not unchanged
    assert all(parameter.grad is None for parameter in runner.model.parameters())
    assert (Path(config.work_dir) / 'backbone.pth').is_file()
    description = json.loads((Path(config.work_dir) / 'backbone.json').read_text())
    assert description['method'] == 'AugLocalHead'
    assert 0 <= description['accuracy']['accuracy/top1'] <= 100
    assert description['epoch'] == 2


def test_the_log_line_is_short_and_the_visualizer_gets_every_module(tiny_config):
    config = tiny_config()
    runner = train(config)
    lines = scalars(config)
    logged = next(line for line in lines if 'lr' in line)
    assert {'loss', 'loss_first', 'loss_middle', 'loss_last', 'accuracy'} <= logged.keys()
    assert not any(key.startswith('local/') for key in logged)
    local = [line for line in lines if any(key.startswith('local/') for key in line)]
    assert len(local) == 6
    names = [module.name for module in runner.model.local_modules()]
    assert local[0].keys() == {'step'} | {f'local/{n}/{k}' for n in names for k in ('loss', 'accuracy')}
    total = sum(value for key, value in local[0].items() if key.endswith('/loss'))
    assert total == pytest.approx(logged['loss'], rel=1e-6)


def test_norms_of_clipped_gradients_are_logged_once_an_update(tiny_config):
    config = tiny_config(**{'optim_wrapper.clip_grad': dict(max_norm=0.1), 'optim_wrapper.accumulative_counts': 2})
    runner = train(config)
    assert len(runner.message_hub.get_scalar('train/grad_norm').data[0]) == 3, 'updates in six iterations'
    names = [module.name for module in runner.model.local_modules()]
    local = [line for line in scalars(config) if f'local/{names[0]}/grad_norm' in line]
    assert len(local) == 3
    logged = [line['grad_norm'] for line in scalars(config) if 'grad_norm' in line]
    assert logged[0] == pytest.approx(max(local[0][f'local/{name}/grad_norm'] for name in names), rel=1e-6)


def test_tensorboard_gets_a_curve_per_module(tiny_config):
    config = tiny_config()
    config.visualizer = dict(type='Visualizer', name='tensorboard', vis_backends=[dict(type='TensorboardVisBackend')])
    train(config)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = Path(config.work_dir).glob('*/vis_data')
    events = EventAccumulator(str(folder))
    events.Reload()
    assert len(events.Scalars('local/layer1.0/loss')) == 6


def test_the_training_step_is_given_back(tiny_config):
    runner = train(tiny_config())
    assert 'train_step' not in vars(runner.model)


def test_one_local_module_is_backpropagation(tiny_config, tmp_path):
    local = tiny_config(work_dir=str(tmp_path / 'local'), **{'model.partition': dict(num_local_modules=1)})
    plain = tiny_config('bp', work_dir=str(tmp_path / 'bp'))
    assert_same(weights(train(local)), weights(train(plain)))
    losses = [[line['loss'] for line in scalars(config) if 'lr' in line] for config in (local, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_same_seed_same_losses(tiny_config, tmp_path):
    configs = [tiny_config(work_dir=str(tmp_path / name)) for name in 'ab']
    assert_same(*(weights(train(config)) for config in configs))
    other = tiny_config(work_dir=str(tmp_path / 'c'), **{'randomness.seed': 1})
    train(other)
    first, second, third = ([line['loss'] for line in scalars(c) if 'lr' in line] for c in (*configs, other))
    assert first == second != third


@pytest.mark.parametrize(
    'settings',
    [
        {'optim_wrapper.clip_grad': dict(max_norm=0.1)},
        {'optim_wrapper.accumulative_counts': 2},
        {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'},
        # A scale that grows this fast overflows in the second epoch, and each module's at its own time.
        {
            'optim_wrapper.type': 'AmpOptimWrapper',
            'optim_wrapper.dtype': 'float16',
            'optim_wrapper.loss_scale': dict(init_scale=2.0**10, growth_factor=2.0**6, growth_interval=1),
        },
        {'model.partition': dict(split_points=['stem', 'layer2.0'])},
        {'model.partition': dict(num_local_modules=2)},
        {'model.partition': dict(last_module_layers=3), 'model.auxiliary_heads.pyramid': 0.5},
        {'custom_hooks': [dict(type='AugLocalHook'), dict(type='PrimaryEMAHook')]},
        {'model.head': dict(type='VGGHead', pooled=1, hidden=8)},  # has dropout
        {
            'custom_hooks': [dict(type='AugLocalHook', update_every=2)]
        },  # three iterations an epoch: another turn in the second
    ],
)
def test_resume_equals_never_stopped(tiny_config, tmp_path, settings):
    settings = {**stages(2), **settings}
    uninterrupted = train(tiny_config(work_dir=str(tmp_path / 'whole'), **settings))
    # Stopped after the first of two epochs: the second run finds the checkpoint of the whole one's first epoch.
    stopped = tiny_config(work_dir=str(tmp_path / 'resumed'), **settings)
    stopped.load_from, stopped.resume = str(tmp_path / 'whole' / 'epoch_1.pth'), True
    resumed = train(stopped)
    assert_same(weights(uninterrupted), weights(resumed))
    exported = [torch.load(tmp_path / name / 'backbone.pth', weights_only=True) for name in ('whole', 'resumed')]
    assert_same(*exported)
    records = [json.loads((tmp_path / name / 'backbone.json').read_text()) for name in ('whole', 'resumed')]
    assert records[0]['sha256'] == records[1]['sha256']


def test_modules_learn_in_turn(tiny_config, recwarn):
    """Each in its iterations alone, with the statistics of norms of all, and the log has the modules that were trained."""
    settings = {'train_cfg.max_epochs': 1, 'param_scheduler.convert_to_iter_based': True, **stages(2)}
    config = tiny_config(custom_hooks=[dict(type='AugLocalHook', update_every=2)], **settings)
    runner = Runner.from_cfg(config)
    modules = runner.model.local_modules()
    names, trained = [module.name for module in modules], [[] for _ in modules]
    for module, iterations in zip(modules, trained, strict=True):
        next(iter(module.head.parameters())).register_hook(lambda _, its=iterations: its.append(runner.iter))
    runner.train()
    assert trained == [[0, 2], [1], [0, 2], [1], [0, 2]]
    assert not [warning for warning in recwarn if 'scheduler.step' in str(warning.message)]
    counts = {int(module.num_batches_tracked) for module in runner.model.backbone.modules() if hasattr(module, 'eps')}
    assert counts == {3}
    local = [line for line in scalars(config) if any(key.startswith('local/') for key in line)]
    for iteration, line in enumerate(local):
        due = [name for index, name in enumerate(names) if (iteration + index) % 2 == 0]
        assert line.keys() == {'step'} | {f'local/{n}/{k}' for n in due for k in ('loss', 'accuracy')}
    logged = [line for line in scalars(config) if 'lr' in line]
    assert logged[0]['loss'] == pytest.approx(sum(v for k, v in local[0].items() if k.endswith('/loss')), rel=1e-6)


def test_in_turn_a_loss_that_is_not_finite_is_still_seen(tiny_config):
    runner = Runner.from_cfg(tiny_config(**stages(2), custom_hooks=[dict(type='AugLocalHook', update_every=2)]))
    runner.model.auxiliary_heads[1].register_forward_hook(lambda _, inputs, output: output * float('nan'))
    with pytest.raises(InputError, match=r'layer1\.0.*\bnan\b.*iteration 2\b'):
        runner.train()


@pytest.mark.parametrize(
    ('update_every', 'settings', 'words'),
    [
        (0, {}, r'\b1\b.*\b5\b'),
        (6, {}, r'\b1\b.*\b5\b'),
        (2, {'optim_wrapper.accumulative_counts': 2}, r'accumulative_counts'),
        (2, {'optim_wrapper.clip_grad': dict(max_norm=1.0)}, r'clip_grad'),
    ],
)
def test_turns_that_are_impossible_are_refused(tiny_config, update_every, settings, words):
    hooks = [dict(type='AugLocalHook', update_every=update_every)]
    with pytest.raises(InputError, match=rf'update_every is {update_every}\b.*{words}'):
        train(tiny_config(custom_hooks=hooks, **stages(2), **settings))


def test_averaged_weights_are_exported(tiny_config):
    config = tiny_config(custom_hooks=[dict(type='AugLocalHook'), dict(type='PrimaryEMAHook', momentum=0.5)])
    runner = train(config)
    exported = torch.load(Path(config.work_dir) / 'backbone.pth', weights_only=True)
    checkpoint = torch.load(Path(config.work_dir) / 'epoch_2.pth', weights_only=False)
    assert not torch.equal(exported['conv1.weight'], runner.model.backbone.conv1.weight)
    assert torch.equal(exported['conv1.weight'], checkpoint['state_dict']['backbone.conv1.weight'])


def test_a_loss_that_is_not_finite_names_module_and_iteration(tiny_config):
    config = tiny_config()
    runner = Runner.from_cfg(config)
    head = runner.model.auxiliary_heads[3]
    calls = iter(range(100))
    head.register_forward_hook(lambda _, inputs, output: output * float('nan') if next(calls) == 4 else None)
    with pytest.raises(InputError, match=r'layer2\.0.*\bnan\b.*\b5\b.*\b2\b'):
        runner.train()
    assert (Path(config.work_dir) / 'epoch_1.pth').is_file()


@pytest.mark.parametrize(
    ('settings', 'key'),
    [
        ({'activation_checkpointing': ['backbone.layer1.0']}, 'activation_checkpointing'),
        ({'model.backbone.with_cp': True}, r'backbone\.with_cp'),
    ],
)
def test_conflicting_settings_are_refused(tiny_config, settings, key):
    with pytest.raises(InputError, match=key):
        train(tiny_config(**settings))


def test_heads_without_the_hook_are_refused(tiny_config):
    with pytest.raises(InputError, match=r"custom_hooks=\[dict\(type='AugLocalHook'\)\]"):
        train(tiny_config(custom_hooks=[]))


def test_the_hook_without_heads_is_refused(tiny_config):
    with pytest.raises(InputError, match=r"AugLocalHook.*auxiliary_heads=dict\(type='AugLocalHead'"):
        train(tiny_config('bp', custom_hooks=[dict(type='AugLocalHook')]))
