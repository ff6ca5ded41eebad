"""Locks that keep two processes from the same run, or from the same file of results."""

import errno
import fcntl
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auglocal_mm.errors import InputError

_held: set[int] = set()


def _let_go() -> None:
    """Leaves the locks to the parent: data workers would keep them when it is killed."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(path: Path, wait: float = math.inf) -> Iterator[int | None]:
    """Holds a lock that other processes respect and that is gone with this one, however it ends.

    Forked children do not have the lock. A program that is handed it (``subprocess.run(..., pass_fds=[...])``) has it until
    its own end.

    Args:
        path: The lock's file. Its content stays as it is.
        wait: For how many seconds to wait for another process that has the lock.

    Yields:
        The lock's file descriptor; ``None`` where another process has it.

    Raises:
        InputError: The file cannot be opened, or its disk has no locks.
    """
    lock = _open(path)
    _held.add(lock)
    try:
        yield lock if _acquire(lock, path, wait) else None
    finally:
        if lock in _held:  # not in a forked child
            _held.remove(lock)
            os.close(lock)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        reason = 'it is a symbolic link; remove it' if error.errno == errno.ELOOP else error.strerror
        raise InputError(f'cannot lock {path}: {reason}, or choose another place that can be written to') from error


def _acquire(lock: int, path: Path, wait: float) -> bool:
    """Whether the lock is there within ``wait`` seconds; says so where it takes longer than one."""
    start, told = time.monotonic(), False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            waited = time.monotonic() - start
        except OSError as error:
            raise InputError(
                f'cannot lock {path}: {error.strerror}; choose a place on a disk that has locks'
            ) from error
        if waited >= wait:
            return False
        if waited > 1 and not told:
            limit = f'up to {wait:g} s ' if wait < math.inf else ''
            print(f'waiting {limit}for the process that holds {path}', file=sys.stderr, flush=True)
            told = True
        time.sleep(min(0.1, wait))
