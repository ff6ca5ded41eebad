"""Several processes as a user starts them: what goes wrong is one sentence, the last."""

import logging
import signal
import socket
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from tests_support import REPOSITORY


@pytest.fixture
def last_words(monkeypatch, capsys):
    """Runs the program and gives its status and last line."""
    spec = spec_from_file_location('run_processes', REPOSITORY / 'tools/run_processes.py')
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setenv('TORCH_CPP_LOG_LEVEL', 'ERROR')

    def run(*arguments: str, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            program.main(*arguments)
        if isinstance(caught.value.code, str):
            return 1, caught.value.code
        return caught.value.code, capsys.readouterr().err.splitlines()[-1]

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = [signal.getsignal(number) for number in numbers]
    yield run
    logging.disable(logging.NOTSET)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ('name', 'value'),
    [('PORT', 'x'), ('PORT', '65536'), ('PORT', '-1'), ('NNODES', '0'), ('NODE_RANK', '1'), ('RDZV_TIMEOUT', '1.5')],
)
def test_wrong_numbers_of_the_environment_are_named(last_words, name, value):
    status, said = last_words('1', 'train.py', **{'PORT': '29500', name: value})
    assert status == 1
    assert said.startswith(f'error: {name} is ')
    assert value in said


@pytest.mark.parametrize(
    ('program', 'status', 'words'),
    [('sys.exit(3)', 3, 'status 3'), ('os.kill(os.getpid(), 9)', 137, 'SIGKILL')],
)
def test_a_process_that_fails_has_the_last_word(last_words, tmp_path, program, status, words):
    (tmp_path / 'program.py').write_text(
        f'import os, sys, time\nif os.environ["RANK"] == "1": {program}\ntime.sleep(60)'
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    found, said = last_words('2', str(tmp_path / 'program.py'), PORT=port)
    assert found == status
    assert said.startswith('error: process 1 ')
    assert words in said


def test_a_port_in_use_is_named(last_words):
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = str(other.getsockname()[1])
        status, said = last_words('1', 'train.py', PORT=port)
    assert status == 1
    assert port in said
    assert 'PORT=' in said


def test_machines_that_do_not_come_are_waited_for_in_vain(last_words):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    status, said = last_words('1', 'train.py', PORT=port, NNODES='2', RDZV_TIMEOUT='1')
    assert status == 1
    assert f'127.0.0.1:{port}' in said
    assert 'RDZV_TIMEOUT' in said
