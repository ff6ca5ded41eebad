"""Real processes, each with some local modules, give what one process with all of them gives, bit for bit."""

import copy
import hashlib
import json
import re

import numpy as np
import pytest
import torch
from tests_groups import ended, start, train
from tests_support import assert_error

SMALL = {'model.image_size': 32}  # for the times of the modules
AMP = {'optim_wrapper.type': 'auglocal_mm.AmpOptimWrapper'}
INFOPRO = {'model.auxiliary_heads': dict(_delete_=True, type='InfoProHead')}
PENDING = {'optim_wrapper.accumulative_counts': 2, 'optim_wrapper.clip_grad': dict(max_norm=1.0)}
DROPPING = {
    'model.backbone': dict(_delete_=True, type='DroppingNetwork'),
    'custom_imports.imports': ['auglocal_mm', 'tests_toys'],
}
BY_ITERATION = {
    'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=4, val_interval=2),
    'default_hooks.checkpoint': dict(by_epoch=False, interval=2, max_keep_ckpts=-1),
    'log_processor.by_epoch': False,
    'param_scheduler.by_epoch': False,
    'train_dataloader.sampler.type': 'InfiniteSampler',
}
IN_TURN = {'custom_hooks': [dict(type='AugLocalHook', update_every=2)]}
TENTH = {
    f'model.auxiliary_heads.{key}': value for key, value in dict(depth=2, shallow_norm=True, batch_share=0.1).items()
}
TENTH['train_dataloader.batch_size'] = 12
ONE_LEFT = {'train_dataloader.batch_size': 23, 'train_dataloader.drop_last': False}
AVERAGED = {'custom_hooks': [dict(type='AugLocalHook'), dict(type='PrimaryEMAHook')]}


def differences(one, two, path: str = '') -> list[str]:
    """Paths of what is not the same in two checkpoints."""
    if isinstance(one, dict):
        assert one.keys() == two.keys(), path
        return [found for key in one for found in differences(one[key], two[key], f'{path}.{key}')]
    if isinstance(one, list | tuple):
        pairs = enumerate(zip(one, two, strict=True))
        return [found for index, (a, b) in pairs for found in differences(a, b, f'{path}.{index}')]
    if isinstance(one, torch.Tensor):
        return [] if one.shape == two.shape and torch.equal(one, two) else [path]
    return [] if one == two else [path]


def assert_same(one: dict, two: dict) -> None:
    keys = [key for key in one if key not in ('meta', 'message_hub')]
    assert differences({key: one[key] for key in keys}, {key: two[key] for key in keys}) == []
    logged = [checkpoint['message_hub']['log_scalars'] for checkpoint in (one, two)]
    validated = {'val/accuracy/top1'} & logged[0].keys() & logged[1].keys()  # not yet in what a resumed run starts from
    for name in ('train/loss', 'train/loss_last', 'train/accuracy', *validated):
        assert np.array_equal(*[scalars[name].data[0] for scalars in logged]), name


@pytest.mark.parametrize(
    ('processes', 'settings', 'last'),
    [
        (2, {**AMP, 'optim_wrapper.dtype': 'float16', **PENDING}, 'epoch_2.pth'),
        (2, {**INFOPRO, **AVERAGED, **ONE_LEFT}, 'epoch_2.pth'),
        (3, {**DROPPING, **BY_ITERATION, **IN_TURN}, 'iter_4.pth'),
        (4, {'model.partition.num_local_modules': 4, **TENTH}, 'epoch_2.pth'),
    ],
    ids=[
        'float16, clipped and accumulated',
        'images and averages, a last batch of one image',
        'stochastic depth in turn',
        'a process for each module, heads of two images',
    ],
)
def test_the_weights_are_those_of_one_process(tiny_config, tmp_path, processes, settings, last):
    found = []
    for number in (1, processes):
        config = tiny_config(work_dir=str(tmp_path / str(number)), **SMALL, **copy.deepcopy(settings))
        config.layer_parallel = number
        found.append(train(config, number, checkpoint=last))
    assert_same(*found)
    files = [(tmp_path / str(number) / 'backbone.pth').read_bytes() for number in (1, processes)]
    assert len({hashlib.sha256(content).hexdigest() for content in files}) == 1
    records = [json.loads((tmp_path / str(number) / 'backbone.json').read_text()) for number in (1, processes)]
    assert [record['num_processes'] for record in records] == [1, processes]
    assert records[0]['partition'] == records[1]['partition']
    assert records[0]['sha256'] == records[1]['sha256']


def test_replicas_of_two_stages_equal_two_processes(tiny_config, tmp_path):
    """Batch norm's statistics are averaged over the processes that train the same module."""
    found = []
    for processes in (2, 4):
        config = tiny_config(
            work_dir=str(tmp_path / str(processes)), **{'train_dataloader.batch_size': 4, **SMALL, **PENDING}
        )
        config.layer_parallel = processes // 2
        found.append(train(config, processes))
    assert_same(*found)


def test_synchronised_norms_take_statistics_from_the_replicas_of_a_stage(tiny_config, tmp_path):
    config = tiny_config(
        work_dir=str(tmp_path / 'work'),
        **{
            **SMALL,
            'layer_parallel': dict(num=2, splits=[3]),
            'custom_hooks': [dict(type='AugLocalHook'), dict(type='WriteNormGroupsHook')],
            'custom_imports.imports': ['auglocal_mm', 'tests_hooks'],
        },
    )
    ended(start(config, 4))
    written = [(tmp_path / f'work/groups_{rank}.txt').read_text() for rank in range(4)]
    assert written == ['[(0, 2)]', '[(1, 3)]', '[(0, 2)]', '[(1, 3)]']


@pytest.mark.parametrize(
    ('settings', 'first', 'last'),
    [({}, 'epoch_1.pth', 'epoch_2.pth'), (BY_ITERATION, 'iter_2.pth', 'iter_4.pth')],
    ids=['by epoch', 'by iteration'],
)
def test_resume_with_another_number_of_processes(tiny_config, tmp_path, settings, first, last):
    def run(processes: int, name: str, *options: str) -> dict:
        config = tiny_config(work_dir=str(tmp_path / name), **SMALL, **PENDING, **copy.deepcopy(settings))
        config.layer_parallel = processes
        return train(config, processes, *options, checkpoint=last)

    whole = run(1, 'one')
    resumed = run(3, 'three', '--resume', str(tmp_path / 'one' / first))
    assert_same(whole, resumed)
    run(3, 'whole')
    assert_same(whole, run(1, 'resumed', '--resume', str(tmp_path / 'whole' / first)))


def test_a_process_has_only_the_weights_that_it_trains(tiny_config, tmp_path):
    config = tiny_config(
        work_dir=str(tmp_path / 'work'),
        **{
            **SMALL,
            'custom_hooks': [dict(type='AugLocalHook'), dict(type='CountStateHook')],
            'custom_imports.imports': ['auglocal_mm', 'tests_hooks'],
        },
    )
    counts = {}
    for processes in (1, 2):
        config.layer_parallel = processes
        train(config, processes)
        counts[processes] = [int((tmp_path / f'work/state_{rank}.txt').read_text()) for rank in range(processes)]
    assert sum(counts[2]) == pytest.approx(counts[1][0], rel=0.01)
    assert max(counts[2]) < 0.95 * counts[1][0]


@pytest.mark.parametrize(
    ('processes', 'settings', 'words'),
    [
        (2, {'layer_parallel': 3}, ('layer_parallel', '3', '2 processes')),
        (2, {'layer_parallel': 'all'}, ('layer_parallel', "'all'")),
        (2, {'layer_parallel': dict(num=2, splits=[0])}, ('layer_parallel.splits', '[0]')),
        (2, {'layer_parallel': dict(num=2, splits=[2, 1])}, ('layer_parallel.splits', '[2, 1]')),
        (2, {'layer_parallel': dict(num=2, spilts=[2])}, ('layer_parallel', 'spilts')),
        (2, {'layer_parallel': dict(num=2, splits=[2], memory='1GiB')}, ('layer_parallel', 'splits', '1GiB')),
        (2, {'layer_parallel': dict(num=2, memory='100KiB'), **SMALL}, ('layer_parallel.memory', '0.1 MiB')),
        (2, {'layer_parallel': 2, 'model.partition.num_local_modules': 1}, ('layer_parallel', '2', '1 local modules')),
        (
            2,
            {
                'layer_parallel': 2,
                'model.auxiliary_heads': dict(_delete_=True, type='MANHead', head=dict(type='DGLHead')),
            },
            ('MANHead', 'stem'),
        ),
        (1, {'layer_parallel': 2}, ('layer_parallel', '2', '1 processes')),
        (
            2,
            {'layer_parallel': 2, 'train_dataloader.num_batch_per_epoch': 1},
            ('num_batch_per_epoch is 1', 'layer_parallel'),
        ),
    ],
)
def test_bad_input_is_told_once(tiny_config, processes, settings, words):
    first, *others = ended(start(tiny_config(**copy.deepcopy(settings)), processes))
    assert_error(first, *words)
    for other in others:
        assert other.returncode == 1
        assert not re.search('error|Traceback', other.stderr)


def test_a_check_is_printed_once(tiny_config, tmp_path):
    config = tiny_config(layer_parallel=2, work_dir=str(tmp_path / 'none'), **SMALL)
    first, second = ended(start(config, 2, '--check'))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert all(text in first.stdout for text in ('7 local modules', 'process 1: stem', 'Isolation holds'))
    assert 'local modules' not in second.stdout and 'Isolation' not in second.stdout


def test_no_schedule_is_said_to_be_too_early(tiny_config, tmp_path):
    """Those of modules that another process trains go on without a step of their optimizers here."""
    config = tiny_config(layer_parallel=2, work_dir=str(tmp_path / 'work'), **SMALL)
    for done in ended(start(config, 2)):
        assert done.returncode == 0 and 'scheduler.step' not in done.stderr, done.stderr[-3000:]
