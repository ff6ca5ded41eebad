import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import torch
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.launch import process_group
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.launch.process_group import NEEDED, end_with_parent, join_processes


@pytest.fixture
def port(monkeypatch) -> Iterator[int]:
    """A free port, in the environment of the first of several processes."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        number = free.getsockname()[1]
    values = {'RANK': '0', 'LOCAL_RANK': '0', 'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(number)}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('TORCHELASTIC_RUN_ID', raising=False)
    before = signal.getsignal(signal.SIGTERM)
    yield number
    signal.signal(signal.SIGTERM, before)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def config(launcher: str = 'pytorch', **settings: int) -> Config:
    return Config({'launcher': launcher, 'env_cfg': {'dist_cfg': {'backend': 'gloo', **settings}}})


@pytest.mark.parametrize(
    ('launcher', 'missing'), [(launcher, name) for launcher in NEEDED for name in NEEDED[launcher]]
)
def test_a_launcher_without_its_environment_names_what_is_missing(monkeypatch, launcher, missing):
    for name in NEEDED[launcher]:
        monkeypatch.setenv(name, '1')
    monkeypatch.delenv(missing)
    with pytest.raises(InputError, match=f'--launcher {launcher}.* {missing},'):
        join_processes(config(launcher))


@pytest.mark.parametrize(
    ('name', 'value'), [('RANK', 'first'), ('WORLD_SIZE', '-2'), ('MASTER_PORT', '65536'), ('LOCAL_RANK', '0.5')]
)
def test_what_is_not_a_number_is_named(port, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"{name}.*'{value}'"):
        join_processes(config())


def test_more_processes_than_gpus_are_refused(port, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('LOCAL_RANK', '2')
    with pytest.raises(InputError, match=r'process 2 .*LOCAL_RANK.* 2;'):
        join_processes(config())


def test_with_gpus_mmengine_starts_the_group_with_the_time_limit_of_the_config(port, monkeypatch):
    given = {}
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    monkeypatch.setattr(process_group, 'init_dist', lambda launcher, **settings: given.update(settings))
    join_processes(config(timeout=7))
    assert given == {'backend': 'gloo', 'timeout': 7}


def test_a_port_in_use_is_named(port):
    with socket.socket() as other:
        other.bind(('127.0.0.1', port))
        other.listen()
        with pytest.raises(InputError, match=rf'{port}.*MASTER_PORT'):
            join_processes(config())


def test_waiting_for_processes_that_do_not_come_is_said_and_ends(port, monkeypatch, capsys):
    monkeypatch.setattr(process_group, 'SECONDS_OF_SILENCE', 0.1)
    with pytest.raises(InputError, match=rf'127\.0\.0\.1:{port} .*1/2'):
        join_processes(config(timeout=1))
    assert f'waiting for the other processes at 127.0.0.1:{port}' in capsys.readouterr().err


def in_child(action: Callable[[], None], errors: int) -> int:
    """The process that does ``action``, with standard error in a file."""
    child = os.fork()
    if child:
        return child
    try:
        os.dup2(errors, 2)
        sys.stderr = os.fdopen(2, 'w', buffering=1)
        action()
    except SystemExit as error:
        os._exit(int(error.code or 0))
    finally:
        os._exit(99)


@pytest.mark.parametrize(
    ('number', 'said'),
    [(signal.SIGSTOP, 'dist_cfg.timeout'), (signal.SIGKILL, 'another process of this training ended')],
)
def test_a_process_that_is_stopped_or_killed_ends_the_others_with_a_sentence(port, monkeypatch, tmp_path, number, said):
    @command_line_tool
    def train(arguments=None):
        join_processes(config(timeout=3))
        torch.distributed.barrier()
        if os.environ['RANK'] == '1':
            os.kill(os.getpid(), number)
        torch.distributed.all_reduce(torch.ones(3))

    with open(tmp_path / 'errors', 'w+') as file:
        first = in_child(train, file.fileno())
        monkeypatch.setenv('RANK', '1')
        second = in_child(train, file.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        os.kill(second, signal.SIGKILL)
        os.waitpid(second, 0)
        text = (tmp_path / 'errors').read_text()
    assert (status, said in text.splitlines()[-1]) == (1, True), text


def test_a_process_ends_with_its_parent(tmp_path):
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        if not os.fork():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            end_with_parent()
            os.write(writing, b'ready')
            time.sleep(60)
            os._exit(0)
        signal.pause()
    os.close(writing)
    assert os.read(reading, 5) == b'ready'
    start = time.monotonic()
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(reading, 5) == b'', 'the child has closed it'
    assert time.monotonic() - start < 30
