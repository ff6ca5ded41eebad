"""Locks that keep two processes from the same run, or from the same file of results."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[int | None]:
    """Holds a lock that other processes respect and that is gone with this one, however it ends.

    A child that inherits the lock (``subprocess.run(..., pass_fds=[...])``) has it until its own end.

    Args:
        path: The lock's file.
        wait: Whether to wait for the lock where another process has it.

    Yields:
        The lock's file descriptor; ``None`` where another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
        else:
            yield file.fileno()
