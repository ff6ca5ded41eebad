"""Locks that keep two processes out of the same run or the same results file."""

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


def _release_in_child() -> None:
    """Leaves the locks to the parent: data workers would otherwise keep them when it is killed."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_release_in_child)


@contextmanager
def locked(path: Path, wait: float = math.inf) -> Iterator[int | None]:
    """Holds a lock between processes for the block; it is also released when this process is killed.

    Forked children do not hold the lock. A program that inherits its descriptor (``subprocess.run(..., pass_fds=[...])``)
    holds it until it ends.

    Args:
        path: The lock file. Its content is not changed.
        wait: Seconds to wait for another process that holds the lock.

    Yields:
        The file descriptor of the lock; ``None`` if another process holds it.

    Raises:
        InputError: The file cannot be opened, or its file system has no locks.
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
        advice = 'remove the link' if error.errno == errno.ELOOP else 'choose a folder that you can write to'
        reason = 'it is a symbolic link' if error.errno == errno.ELOOP else error.strerror
        raise InputError(f'cannot lock {path}: {reason}; {advice}') from error


def _acquire(lock: int, path: Path, wait: float) -> bool:
    """Whether the lock was acquired within ``wait`` seconds; prints a note after one second of waiting."""
    start, noted = time.monotonic(), False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            waited = time.monotonic() - start
        except OSError as error:
            raise InputError(
                f'cannot lock {path}: {error.strerror}; choose a folder on a file system with locks'
            ) from error
        if waited >= wait:
            return False
        if waited > 1 and not noted:
            limit = f'up to {wait:g} s ' if wait < math.inf else ''
            print(f'waiting {limit}for the process that holds {path}', file=sys.stderr, flush=True)
            noted = True
        time.sleep(min(0.1, wait))
