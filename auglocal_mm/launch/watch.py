"""Ends all processes of a training when one of them dies or stops answering, and says which one.

Each process writes a line to a common store several times per second, and reads those of the others. It does so in threads, since
a process that waits for another one waits in C++.
"""

import json
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from mmengine.dist import broadcast_object_list, get_rank, get_world_size
from torch import distributed
from torch.distributed import TCPStore

BEAT = 0.2
"""Seconds between two lines of a process."""
SILENCE = 10
"""Seconds without a new line after which a process counts as stopped."""
STOPPED = 'was stopped by SIGTERM'
REASON = 'reason'
"""Key in the store: why all processes end, empty while they train."""


class Watch:
    """Watches the other processes, and is watched by them.

    Args:
        store: A store of all processes, in the first of them.
        rank: Of this process.
        size: Number of processes.

    Attributes:
        completed: Number of iterations that this process has completed.
    """

    def __init__(self, store: TCPStore, rank: int, size: int) -> None:
        self.store, self.rank, self.completed, self.beats = store, rank, 0, 0
        self.ranks = range(size)
        self.lines = [''] * size
        self.silent_beats, self.gone_beats = [0] * size, [0] * size
        self.reason, self.closed = '', threading.Event()
        self.signals = _termination_signals()
        if rank == 0:
            store.set(REASON, '')
        self._write()
        distributed.barrier()  # every line is there
        for work in (self._exchange, self._observe):
            threading.Thread(target=work, daemon=True).start()

    def _write(self) -> None:
        self.beats += 1
        line = [self.beats, self.completed, socket.gethostname(), os.getpid()]
        self.store.set(str(self.rank), json.dumps(line))

    def _exchange(self) -> None:
        """Writes the line of this process and reads those of all, until the store is gone."""
        keys = [REASON, *map(str, self.ranks)]
        with suppress(RuntimeError):
            while not self.closed.wait(BEAT):
                self._write()
                self.reason, *self.lines = [each.decode() for each in self.store.multi_get(keys)]

    def _observe(self) -> None:
        """Ends this process when another one has ended or says nothing, or when it is asked to end."""
        before = self.lines
        while not self.closed.is_set():
            asked, _, _ = select.select([self.signals], [], [], BEAT)
            lines = self.lines
            # Beats are counted instead of seconds, which also pass while all processes are suspended.
            for rank in self.ranks:
                self.silent_beats[rank] = self.silent_beats[rank] + 1 if lines[rank] == before[rank] else 0
                self.gone_beats[rank] = self.gone_beats[rank] + 1 if _is_gone(lines[rank]) else 0
            before = lines
            if self.reason:
                if self.rank == 0:
                    time.sleep(5 * BEAT)  # the store is here, and others may still read it
                _leave('' if asked else self._word_for_stopped(), 1)
            lost = self._lost(patience=0 if asked else 1)
            if lost:
                self._end_all(lost)
            if asked and os.read(self.signals, 1)[0] == signal.SIGTERM:
                self.tell(STOPPED)
                _leave('', 128 + signal.SIGTERM)

    def _lost(self, patience: int) -> dict[int, str]:
        """What happened to each process that is gone for more than ``patience`` beats, or says nothing."""
        lost = {}
        for rank in self.ranks:
            if self.gone_beats[rank] > patience:
                lost[rank] = 'was killed or has crashed'
            elif self.silent_beats[rank] * BEAT > SILENCE and not lost:
                lost[rank] = f'has not answered for {SILENCE} seconds'
        return lost

    def _end_all(self, lost: dict[int, str]) -> NoReturn:
        rank, what = next(iter(lost.items()))
        message = self._message(rank, what)
        # Without the first process there is no store, and the next one speaks.
        speaks = self.rank == min(set(self.ranks) - set(lost)) if 0 in lost else self.tell(message)
        if 0 in lost:
            time.sleep(5 * BEAT)  # so that all others are there until each has come to the same conclusion
        _leave(message if speaks else '', 1)

    def _message(self, rank: int, what: str) -> str:
        completed = json.loads(self.lines[rank])[1] if self.lines[rank] else 0
        return (
            f'error: process {rank} {what}; the last iteration that it completed was {completed}. All other processes end; '
            'continue from the last checkpoint with --resume'
        )

    def _word_for_stopped(self) -> str:
        """What one of the others says where a process was stopped alone; other reasons say those who give them."""
        rank, what = self.reason.removeprefix('process ').split(': ', maxsplit=1)
        speaks = what == STOPPED and self.rank == min(set(self.ranks) - {int(rank)})
        return self._message(int(rank), what) if speaks else ''

    def tell(self, reason: str) -> bool:
        """Has all processes end, and waits until they know; whether no other process has done so before.

        The first process may be stopped, whose store then answers nobody: they are not waited for longer than ``SILENCE``.
        """
        reason = f'process {self.rank}: {reason}'  # so that no two are the same
        answers: list[bytes] = []

        def write() -> None:
            with suppress(RuntimeError):
                answers.append(self.store.compare_set(REASON, '', reason))

        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        writing.join(SILENCE)
        if not answers:
            return False
        time.sleep(2 * BEAT)
        return answers[0].decode() == reason

    def close(self) -> None:
        """Waits for all processes, and stops watching them."""
        distributed.barrier()
        self.closed.set()


_current: list[Watch] = []


def start_watch() -> None:
    """Watches all processes of the default group from now on."""
    ports: list[Any] = [None]
    timeout = timedelta(seconds=SILENCE)
    if get_rank() == 0:
        store = TCPStore('localhost', 0, is_master=True, wait_for_workers=False, timeout=timeout)
        ports = [store.port]
    broadcast_object_list(ports)
    if get_rank() > 0:
        store = TCPStore(os.environ['MASTER_ADDR'], ports[0], wait_for_workers=False, timeout=timeout)
    _current[:] = [Watch(store, get_rank(), get_world_size())]


def completed_iterations(number: int) -> None:
    """Notes how far this process is, for the message of the others should it die."""
    for watch in _current:
        watch.completed = number


def leave_word_to_watch() -> None:
    """Waits until the watch, if there is one, has found what cut the connection, and has ended this process."""
    if _current:
        time.sleep(2 * SILENCE)


def close_watch() -> None:
    """Waits until all processes are done, and stops watching them."""
    for watch in _current:
        watch.close()
    _current.clear()


def tell_others() -> None:
    """Has all other processes end, without a word of their own."""
    for watch in _current:
        watch.closed.set()  # this process ends by itself
        watch.tell('an error, which it has reported itself')
    _current.clear()


def _termination_signals() -> int:
    """A file from which the number of every signal can be read, with SIGTERM among them."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # a thread acts on it, while the main one waits in C++
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _is_gone(line: str) -> bool:
    """Whether the process that wrote ``line`` was on this machine and is no longer there."""
    if not line:
        return False
    _, _, host, pid = json.loads(line)
    try:
        return host == socket.gethostname() and Path(f'/proc/{pid}/stat').read_text().rpartition(') ')[2][0] in 'ZX'
    except FileNotFoundError:
        return True


def _leave(message: str, status: int) -> NoReturn:
    """Ends the process from a thread, and its data workers with it."""
    if message:
        print(message, file=sys.stderr, flush=True)
    for worker in multiprocessing.active_children():
        worker.kill()
    os._exit(status)
