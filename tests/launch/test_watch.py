"""Real processes: one of three is killed, stopped or hangs, and the others end within seconds and say which."""

import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests_groups import ended, free_port, start, train
from tests_processes import Started

from auglocal_mm.launch import watch


def disturbed(tiny_config, work_dir, **hook):
    """A training in which something happens to a process."""
    config = tiny_config(
        work_dir=str(work_dir),
        **{
            'model.image_size': 32,
            'custom_hooks': [dict(type='AugLocalHook'), hook],
            'custom_imports.imports': ['auglocal_mm', 'tests_hooks'],
        },
    )
    config.layer_parallel = 3
    return config


def errors(said):
    return [line for each in said for line in each.stderr.splitlines() if line.startswith('error: ')]


@pytest.mark.parametrize(('number', 'rank'), [('SIGKILL', 0), ('SIGTERM', 2), ('SIGSTOP', 0), ('SIGSTOP', 1)])
def test_the_others_end_and_one_says_which_process_and_how_far_it_was(tiny_config, tmp_path, rank, number):
    processes = start(
        disturbed(tiny_config, tmp_path / 'work', type='SignalHook', rank=rank, completed=4, number=number, silence=2),
        3,
    )
    others = [process for each, process in enumerate(processes) if each != rank]
    said = ended(others)
    processes[rank].process.kill()
    assert [each.returncode for each in said] == [1, 1]
    (line,) = errors(said)
    assert f'process {rank} ' in line
    assert ' 4.' in line


@pytest.mark.parametrize('rank', [0, 2])
def test_a_process_that_hangs_is_named_with_the_place_where_it_hangs(tiny_config, tmp_path, rank):
    config = disturbed(tiny_config, tmp_path / 'work', type='HangHook', rank=rank, completed=4)
    config.merge_from_dict({'env_cfg.dist_cfg.timeout': 40})
    said = ended(start(config, 3))
    assert [each.returncode for each in said] == [1, 1, 1]
    (line,) = errors(said)
    words = (f'process {rank} ', ' 4 seconds', 'env_cfg.dist_cfg.timeout', 'tests_hooks.py, line ', ' 4.')
    assert [word for word in words if word not in line] == [], line


def test_nobody_waits_for_the_store_of_a_process_that_is_stopped(monkeypatch):
    monkeypatch.setattr(watch, 'SILENCE', 0.1)
    waiting = threading.Event()
    observer = watch.Watch.__new__(watch.Watch)
    observer.rank, observer.store = 2, SimpleNamespace(compare_set=lambda *given: waiting.wait())
    assert observer.tell('process 1 is gone') is False
    waiting.set()


def test_a_process_that_ends_with_an_error_is_the_only_one_to_speak(tiny_config, tmp_path):
    config = disturbed(tiny_config, tmp_path / 'work', type='SignalHook', rank=0, completed=9, number='SIGKILL')
    config.optim_wrapper.optimizer.lr = 1e30
    said = ended(start(config, 3))
    assert [each.returncode for each in said] == [1, 1, 1]
    (line,) = errors(said)
    assert 'loss' in line


def test_torchrun_and_fewer_processes_resume_from_the_last_checkpoint(tiny_config, tmp_path, monkeypatch):
    config = disturbed(tiny_config, tmp_path / 'whole', type='SignalHook', rank=1, completed=9, number='SIGKILL')
    config.layer_parallel = 1
    whole = train(config, 1)
    config = disturbed(tiny_config, tmp_path / 'killed', type='SignalHook', rank=1, completed=4, number='SIGKILL')
    config.layer_parallel = 'auto'
    config.dump(f'{config.work_dir}.py')
    options = ['--nproc_per_node', '3', '--max-restarts', '1', '--master_port', free_port()]
    torchrun = find_spec('torch.distributed.run').origin
    done = Started(torchrun, *options, 'tools/train.py', f'{config.work_dir}.py', '--launcher', 'pytorch').wait()
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'process 1 ' in done.stderr
    again = torch.load(f'{config.work_dir}/epoch_2.pth', weights_only=False)['state_dict']
    Path(config.work_dir, 'epoch_2.pth').unlink()
    Path(config.work_dir, 'last_checkpoint').write_text(f'{config.work_dir}/epoch_1.pth')
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '1')
    fewer = train(config, 2)['state_dict']
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, again[name]), name
        assert torch.equal(value, fewer[name]), name
