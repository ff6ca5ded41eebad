"""Atomic writes: to a temporary file in the same folder, then renamed. Only regular files are read."""

import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from auglocal_mm.errors import InputError


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file at ``path``. Opening a pipe could block forever, and a device can be endless.

    Raises:
        InputError: It is not a regular file.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        kind = 'a folder' if os.path.isdir(path) else 'a pipe, a socket or a device'
        raise InputError(f'{path} is {kind}, expected a regular file; replace it with one, or give another path')
    return os.path.exists(path)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path in the folder of ``path``, which is renamed to ``path`` when the block succeeds.

    If the block raises, the temporary file is removed and ``path`` stays as it was. Temporary files left by killed writes of
    the same file are removed too.

    Args:
        path: The file to write. Its folder is created if necessary.

    Raises:
        InputError: The operating system refused the write (disk full, no permission, ...).
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(f'cannot write {target}: it is a folder, expected a file; give the path of a file')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent, glob.escape(target.name))
        lock, name = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.name}.', suffix='.tmp')
    except OSError as error:
        raise InputError(f'cannot write {target}: {error.strerror}; free some space or choose another place') from error
    temporary = Path(name)
    try:
        _try_lock(lock)
        yield temporary
        with open(temporary, 'rb') as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f'cannot write {target}: {error.strerror}; free some space or choose another place') from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary folder beside ``path``, which is renamed to ``path`` when the block succeeds, and else removed.

    Temporary folders left by killed writes of the same folder are removed too.

    Args:
        path: The folder to write, which does not exist or is empty.

    Raises:
        InputError: There are files at ``path``, or the operating system refused the write.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f'cannot write {target}: it is not an empty folder; give another one, or remove it')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent, glob.escape(target.name))
        with (
            tempfile.TemporaryDirectory(
                dir=target.parent, prefix=f'.{target.name}.', suffix='.tmp', ignore_cleanup_errors=True
            ) as name,
            _opened(name) as lock,
        ):
            _try_lock(lock)
            yield Path(name)
            os.chmod(name, 0o777 & ~_umask())
            os.replace(name, target)
    except OSError as error:
        raise InputError(f'cannot write {target}: {error.strerror}; free some space or choose another place') from error


def remove_leftovers(folder: Path, names: str) -> None:
    """Removes what killed calls of :func:`atomic_write` and :func:`atomic_folder` left, but nothing that is being written.

    Args:
        folder: Where they were writing.
        names: A glob pattern of their names, such as ``*.pth``.
    """
    for path in folder.glob(f'.{names}.{"[a-z0-9_]" * 8}.tmp'):
        with suppress(OSError), _opened(path) as lock:
            if _try_lock(lock):  # its writer is dead
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[int]:
    """Yields the descriptor of a file or a folder, to lock it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(file: int) -> bool:
    """Locks ``file`` and returns True, or False if it is locked elsewhere or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes ``text`` to ``path`` as UTF-8, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes ``value`` to ``path`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + '\n')


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
