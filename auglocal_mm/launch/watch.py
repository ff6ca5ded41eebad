"""Ends all processes of a training when one of them dies, stops answering or hangs, and says which one.

Each process writes a heartbeat to a common store several times per second, and reads those of the others. It does so in threads,
since a process that waits for another one waits in C++.
"""

import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn

from mmengine.dist import broadcast_object_list, get_rank, get_world_size
from torch import distributed
from torch.distributed import TCPStore
from torch.distributed.distributed_c10d import default_pg_timeout

from auglocal_mm.launch.heartbeat import Heartbeat, Pulse

BEAT = 0.2
"""Seconds between two heartbeats of a process."""
SILENCE = 10
"""Seconds without a heartbeat after which a process counts as stopped."""
STOPPED = 'was stopped by SIGTERM'
REASON = 'reason'
"""Key in the store: why all processes end, empty while they train."""


class Watch:
    """Watches the other processes, and is watched by them.

    Args:
        store: A store of all processes, in the first of them.
        rank: Of this process.
        size: Number of processes.
        timeout: Seconds for which a process may keep others waiting.

    Attributes:
        completed: Number of iterations that this process has completed.
    """

    def __init__(self, store: TCPStore, rank: int, size: int, timeout: float) -> None:
        self.store, self.rank, self.timeout, self.completed, self.beats = store, rank, timeout, 0, 0
        self.ranks = range(size)
        self.heartbeats: list[Heartbeat] = []
        self.pulses = [Pulse() for _ in self.ranks]
        self.reason, self.closed = '', threading.Event()
        self.signals = _termination_signals()
        if rank == 0:
            store.set(REASON, '')
        self._write()
        distributed.barrier()  # every heartbeat is there
        for work in (self._exchange, self._observe):
            threading.Thread(target=work, daemon=True).start()

    def _write(self) -> None:
        self.beats += 1
        self.store.set(str(self.rank), str(Heartbeat.of_this_process(self.beats, self.completed)))

    def _exchange(self) -> None:
        """Writes the heartbeat of this process and reads those of all, until the store is gone."""
        keys = [REASON, *map(str, self.ranks)]
        with suppress(RuntimeError):
            while not self.closed.wait(BEAT):
                self._write()
                self.reason, *texts = [each.decode() for each in self.store.multi_get(keys)]
                self.heartbeats = [Heartbeat.parse(text) for text in texts]

    def _observe(self) -> None:
        """Ends this process when another one has ended, says nothing or hangs, or when it is asked to end."""
        while not self.closed.is_set():
            asked, _, _ = select.select([self.signals], [], [], BEAT)
            for pulse, heartbeat in zip(self.pulses, self.heartbeats, strict=False):  # none before the first exchange
                pulse.feel(heartbeat)
            if self.reason:
                if self.rank == 0:
                    time.sleep(5 * BEAT)  # the store is here, and others may still read it
                _leave('' if asked else self._word_for_stopped(), 1)
            lost = self._lost(patience=0 if asked else 1)
            if lost:
                self._end_all(lost)
            hanging = self._hanging()
            if hanging:
                _leave(hanging if self.tell(hanging) else '', 1)
            if asked and os.read(self.signals, 1)[0] == signal.SIGTERM:
                self.tell(STOPPED)
                _leave('', 128 + signal.SIGTERM)

    def _lost(self, patience: int) -> dict[int, str]:
        """What happened to each process that is gone for more than ``patience`` beats, or says nothing."""
        lost = {}
        for rank, pulse in enumerate(self.pulses):
            if pulse.gone > patience:
                lost[rank] = 'was killed or has crashed'
            elif pulse.silent * BEAT > SILENCE and not lost:
                lost[rank] = f'has not answered for {SILENCE} seconds'
        return lost

    def _hanging(self) -> str:
        """What to say if a process has waited too long, of the one that has been busy longest meanwhile; nothing otherwise."""
        rank, busiest = max(enumerate(self.pulses), key=lambda each: each[1].busy)
        waiting = max(pulse.waiting for pulse in self.pulses)
        if busiest.last is None or min(busiest.busy, waiting) * BEAT <= self.timeout:
            return ''
        limit = f'{self.timeout:g} seconds (env_cfg.dist_cfg.timeout)'
        return self._message(rank, f'has kept others waiting for {limit} in {busiest.last.place}')

    def _end_all(self, lost: dict[int, str]) -> NoReturn:
        rank, what = next(iter(lost.items()))
        message = self._message(rank, what)
        # Without the first process there is no store, and the next one speaks.
        speaks = self.rank == min(set(self.ranks) - set(lost)) if 0 in lost else self.tell(message)
        if 0 in lost:
            time.sleep(5 * BEAT)  # so that all others are there until each has come to the same conclusion
        _leave(message if speaks else '', 1)

    def _message(self, rank: int, what: str) -> str:
        last = self.pulses[rank].last
        completed = last.completed if last else 0
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


def start_watch(limit: float | None) -> None:
    """Watches all processes of the default group from now on.

    Args:
        limit: Seconds for which a process may keep others waiting, by default as long as PyTorch lets them wait.
    """
    ports: list[Any] = [None]
    timeout = timedelta(seconds=SILENCE)
    if get_rank() == 0:
        store = TCPStore('localhost', 0, is_master=True, wait_for_workers=False, timeout=timeout)
        ports = [store.port]
    broadcast_object_list(ports)
    if get_rank() > 0:
        store = TCPStore(os.environ['MASTER_ADDR'], ports[0], wait_for_workers=False, timeout=timeout)
    _current[:] = [Watch(store, get_rank(), get_world_size(), limit or default_pg_timeout.total_seconds())]


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


def _leave(message: str, status: int) -> NoReturn:
    """Ends the process from a thread, and its data workers with it."""
    if message:
        print(message, file=sys.stderr, flush=True)
    for worker in multiprocessing.active_children():
        worker.kill()
    os._exit(status)
