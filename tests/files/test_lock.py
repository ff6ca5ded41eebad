import errno
import fcntl
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files.lock import locked


def is_free(path: Path) -> bool:
    with locked(path, wait=0) as lock:
        return lock is not None


def test_one_process_holds_it_at_a_time(tmp_path):
    path = tmp_path / 'new' / 'lock'
    with locked(path):
        assert not is_free(path)
        with pytest.raises(ZeroDivisionError), locked(tmp_path / 'other'):
            raise ZeroDivisionError
    assert is_free(path)
    assert is_free(tmp_path / 'other')


def test_data_workers_of_a_killed_training_do_not_keep_it(tmp_path):
    path = tmp_path / 'lock'
    context = multiprocessing.get_context('fork')
    begun, end = context.Event(), context.Event()

    def work():
        begun.set()
        end.wait()

    with locked(path):
        worker = context.Process(target=work)
        worker.start()
        begun.wait()
    try:
        assert is_free(path)
    finally:
        end.set()
        worker.join()


def test_a_program_that_inherits_the_descriptor_keeps_it(tmp_path):
    path = tmp_path / 'lock'
    program = [sys.executable, '-c', 'input()']
    with locked(path) as lock:
        child = subprocess.Popen(program, stdin=subprocess.PIPE, pass_fds=[lock])
    assert not is_free(path)
    child.communicate(b'end\n')
    assert is_free(path)


def test_waiting_is_announced_and_ends(tmp_path, capsys):
    path = tmp_path / 'lock'
    with locked(path), locked(path, wait=1.3) as second:
        assert second is None
    (line,) = capsys.readouterr().err.splitlines()
    assert '1.3 s' in line and str(path) in line


@pytest.mark.parametrize('exists', [True, False])
def test_a_link_is_refused_and_its_target_stays(tmp_path, exists):
    target, path = tmp_path / 'thesis.tex', tmp_path / 'lock'
    if exists:
        target.write_text('text')
    path.symlink_to(target)
    with pytest.raises(InputError, match=rf'{path}\b.*symbolic link'), locked(path):
        pass
    assert target.exists() == exists
    assert not exists or target.read_text() == 'text'


def test_the_content_of_the_file_stays(tmp_path):
    (tmp_path / 'lock').write_text('text')
    with locked(tmp_path / 'lock'):
        assert (tmp_path / 'lock').read_text() == 'text'


@pytest.mark.parametrize('code', [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_that_cannot_be_locked_is_named(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch, pytest.raises(InputError, match=rf'{tmp_path}/lock\b.*{os.strerror(code)}'):
        patch.setattr(fcntl, 'flock', refuse)
        with locked(tmp_path / 'lock'):
            pass
    with pytest.raises(InputError, match='/proc/no/lock'), locked(Path('/proc/no/lock')):
        pass
