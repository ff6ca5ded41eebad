"""Real processes: two with half a batch each take the steps of one with the whole batch."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from tests_groups import ended, free_port, start, train
from tests_processes import Started
from tests_support import REPOSITORY, assert_error

GROUP_NORM = {'model.backbone.norm_cfg': dict(type='GN', num_groups=4)}
"""A norm without statistics of the batch."""


def dist(script: str, config, folder: Path, *arguments: str) -> str:
    """What is said by the processes that a script of ``tools`` starts; they have their imports already."""
    recorder = folder / 'python'
    recorder.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    recorder.chmod(0o755)
    command = ['bash', f'tools/{script}', f'{config.work_dir}.py', *arguments, '--work-dir', config.work_dir]
    paths = os.pathsep.join([str(folder), os.environ['PATH']])
    started = subprocess.run(command, cwd=REPOSITORY, env={'PATH': paths}, capture_output=True, text=True, check=True)
    modules = str(REPOSITORY / 'tests')
    done = Started(*started.stdout.splitlines(), PORT=free_port(), PYTHONPATH=modules).wait()
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


# Rounding that accumulates moves weights by up to 4e-5 on some CPUs; without the average they differ by 1e-3.
@pytest.mark.parametrize(('accumulative_counts', 'rtol', 'atol'), [(1, 1e-4, 1e-6), (2, 1e-3, 1e-4)])
def test_two_processes_equal_one(tiny_config, tmp_path, accumulative_counts, rtol, atol):
    states = []
    for processes in (1, 2):
        config = tiny_config(
            work_dir=str(tmp_path / f'{processes}_processes'),
            **{
                **GROUP_NORM,
                'train_dataloader.batch_size': 8 // processes,
                'optim_wrapper.accumulative_counts': accumulative_counts,
                'optim_wrapper.clip_grad': dict(max_norm=1.0),
            },
        )
        states.append(train(config, processes)['state_dict'])
    one, two = states
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=rtol, atol=atol, msg=lambda text, n=name: f'{n}: {text}')


def test_resume_equals_never_stopped_while_gradients_accumulate(tiny_config, tmp_path):
    """An epoch of three iterations ends between the two of an update."""
    settings = {**GROUP_NORM, 'train_dataloader.batch_size': 4, 'optim_wrapper.accumulative_counts': 2}
    whole = train(tiny_config(work_dir=str(tmp_path / 'whole'), **settings), 2)['state_dict']
    first = str(tmp_path / 'whole' / 'epoch_1.pth')
    pending = torch.load(first, weights_only=False)['local_learning']['gradients']
    assert pending, 'or there is nothing to test'
    resumed = train(tiny_config(work_dir=str(tmp_path / 'resumed'), **settings), 2, '--resume', first)['state_dict']
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


def test_a_run_by_iterations_that_is_resumed_has_the_statistics_of_all_processes(tiny_config, tmp_path):
    settings = {
        'train_dataloader.batch_size': 4,
        'optim_wrapper.accumulative_counts': 3,  # an update is half done in the checkpoint
        'log_processor.by_epoch': False,
        'default_hooks.checkpoint': dict(by_epoch=False, interval=2, max_keep_ckpts=-1),
        'param_scheduler.by_epoch': False,
    }
    states = []
    for name, options in (('whole', []), ('resumed', ['--resume', str(tmp_path / 'whole' / 'iter_2.pth')])):
        config = tiny_config(work_dir=str(tmp_path / name), **settings)
        config.train_cfg = dict(by_epoch=False, max_iters=3, val_interval=3)
        states.append(train(config, 2, *options, checkpoint='iter_3.pth')['state_dict'])
    assert [name for name in states[0] if not torch.equal(states[0][name], states[1][name])] == []
    exported = torch.load(tmp_path / 'whole' / 'backbone.pth')
    assert torch.equal(exported['bn1.running_var'], states[0]['backbone.bn1.running_var'])


def test_all_processes_validate_the_network_that_is_exported_and_tested(tiny_config, tmp_path):
    config = tiny_config(
        work_dir=str(tmp_path / 'two'),
        **{
            'train_dataloader.batch_size': 4,
            'custom_hooks': [dict(type='AugLocalHook'), dict(type='WriteBuffersHook')],
            'custom_imports.imports': ['auglocal_mm', 'tests_hooks'],
        },
    )
    config.dump(f'{config.work_dir}.py')
    dist('dist_train.sh', config, tmp_path, '2')
    ours, theirs = (torch.load(f'{config.work_dir}/buffers_{rank}.pth') for rank in range(2))
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    exported = torch.load(f'{config.work_dir}/backbone.pth')
    assert torch.equal(exported['bn1.running_mean'], ours['backbone.bn1.running_mean'])
    said = dist('dist_test.sh', config, tmp_path, f'{config.work_dir}/epoch_2.pth', '2')
    (log,) = Path(config.work_dir).glob('*/vis_data/scalars.json')
    validated = [line for line in map(json.loads, log.read_text().splitlines()) if 'accuracy/top1' in line]
    assert f'accuracy/top1: {validated[-1]["accuracy/top1"]:.4f}' in said


def test_bad_data_end_both_processes_with_one_message(tiny_config, image_folder):
    shutil.rmtree(image_folder / 'val' / 'dog')
    config = tiny_config(**{'train_dataloader.batch_size': 4})
    first, second = ended(start(config, 2))
    assert_error(first, 'dog')
    assert second.returncode == 1
    assert 'error' not in second.stderr
    assert 'Traceback' not in second.stderr
