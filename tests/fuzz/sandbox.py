"""One reading of one file in a process of its own, which may take so much time and memory and no more."""

import os
import pickle
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from auglocal_mm.errors import InputError

SECONDS = 20
"""Of the processor; of the clock twice as many, as other processes may be at work."""
MEMORY = 2 * 2**30
"""Bytes of resident memory beyond those of this process."""
TRAP = 'fuzz-was-here'
"""What hostile files make, where they are run, in the working directory."""


@dataclass(frozen=True)
class Reading:
    """What became of one reading.

    Attributes:
        end: ``done``, ``refused``, ``TRACEBACK``, ``HANG``, ``MEMORY`` or ``CODE`` (a hostile file was run).
        result: What was read, where it is done.
        output: Standard output and error.
    """

    end: str
    result: Any
    output: str

    @property
    def last_line(self) -> str:
        return (self.output.strip().splitlines() or [''])[-1]


def isolated(read: Callable[[], Any], place: Path) -> Reading:
    """Calls ``read`` in a fork of this process, with ``place``, which is made, as working directory."""
    place.mkdir(parents=True)
    output, answer = place / 'output.txt', place / 'answer.pickle'
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _child(read, place, output, answer)
    end = _watch(child)
    text = output.read_text(encoding='utf-8', errors='replace') if output.exists() else ''
    result = None
    if end == 'ended':
        end, result = pickle.loads(answer.read_bytes()) if answer.exists() else ('TRACEBACK', None)
    if end == 'refused' and not _is_one_sentence(text):
        end = 'TRACEBACK'
    if list(place.rglob(TRAP)):
        end = 'CODE'
    return Reading(end, result, text)


def _child(read: Callable[[], Any], place: Path, output: Path, answer: Path) -> None:
    """Never returns: whatever happens in a fork must not go on as the parent."""
    try:
        os.setsid()  # so that what it starts can be ended with it
        file = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(place)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(file), 'w', buffering=1, errors='replace') for _ in range(2))
        torch.set_num_threads(1)  # the threads of the parent are not here
        end, result = _outcome(read)
        sys.stdout.flush()
        sys.stderr.flush()
        answer.write_bytes(pickle.dumps((end, result)))
        os._exit(0)
    finally:
        os._exit(70)


def _outcome(read: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return 'done', read()
    except SystemExit as error:
        if error.code == 1:
            return 'refused', None
        print(f'it ended with status {error.code}', file=sys.stderr)
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        return 'refused', None
    except BaseException:
        traceback.print_exc()
    return 'TRACEBACK', None


def _is_one_sentence(output: str) -> bool:
    lines = output.strip().splitlines()
    return bool(lines) and lines[-1].startswith('error: ') and 'Traceback (most recent call last)' not in output


def _watch(child: int) -> str:
    """Waits for the end of a process, or brings it about."""
    process, limit, most = os.pidfd_open(child), monotonic() + 2 * SECONDS, _resident(os.getpid()) + MEMORY
    end = ''
    try:
        while not end and not select.select([process], [], [], 0.02)[0]:
            if monotonic() > limit or _processor_seconds(child) > SECONDS:
                end = 'HANG'
            elif _resident(child) > most:
                end = 'MEMORY'
        if end:
            os.killpg(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    finally:
        os.close(process)
    if not end and usage.ru_maxrss * 1024 > most:  # between two looks
        end = 'MEMORY'
    return end or ('ended' if os.waitstatus_to_exitcode(status) == 0 else 'TRACEBACK')


def _resident(process: int) -> int:
    try:
        return int(Path(f'/proc/{process}/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except (OSError, IndexError):  # it has just ended
        return 0


def _processor_seconds(process: int) -> float:
    try:
        user, system = Path(f'/proc/{process}/stat').read_text().rsplit(')', 1)[1].split()[11:13]
    except OSError:
        return 0.0
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')
