"""What a process tells the others of itself several times per second: how far it is, and where."""

import json
import os
import socket
import sysconfig
from dataclasses import astuple, dataclass
from pathlib import Path

from auglocal_mm.private import main_thread_frame

WAITING = (
    'torch.distributed',
    'auglocal_mm.runtime.link',
    'auglocal_mm.runtime.gradient_average',
    'auglocal_mm.launch.watch',
)
"""Where a process waits for others."""


@dataclass(frozen=True)
class Heartbeat:
    """A message of one process.

    Attributes:
        beats: Number of messages until now.
        completed: Number of iterations that the process has completed.
        host: Its machine.
        pid: Its process id.
        place: File and line of its main thread; empty where that waits for another process.
    """

    beats: int
    completed: int
    host: str
    pid: int
    place: str

    @classmethod
    def of_this_process(cls, beats: int, completed: int) -> 'Heartbeat':
        """The message of this process."""
        return cls(beats, completed, socket.gethostname(), os.getpid(), _place())

    @classmethod
    def parse(cls, text: str) -> 'Heartbeat':
        """The message that was written as ``text``."""
        return cls(*json.loads(text))

    def __str__(self) -> str:
        return json.dumps(astuple(self))

    @property
    def is_gone(self) -> bool:
        """Whether the process was on this machine and is no longer there."""
        if self.host != socket.gethostname():
            return False
        try:
            return Path(f'/proc/{self.pid}/stat').read_text().rpartition(') ')[2][0] in 'ZX'
        except FileNotFoundError:
            return True


def _place() -> str:
    library = sysconfig.get_path('stdlib')
    frame = main_thread_frame()
    while frame and frame.f_code.co_filename.startswith(library) and 'site-packages' not in frame.f_code.co_filename:
        frame = frame.f_back  # what called the standard library says more
    if frame is None or frame.f_globals.get('__name__', '').startswith(WAITING):
        return ''
    return f'{frame.f_code.co_filename}, line {frame.f_lineno}'


@dataclass
class Pulse:
    """For how many beats in a row a process has been as it is, counted by another one.

    Beats are counted instead of seconds, which also pass while all processes are suspended.

    Attributes:
        last: Its last heartbeat.
        silent: Without a new heartbeat.
        gone: No longer there.
        waiting: In the same iteration, waiting for another process.
        busy: In the same iteration, not waiting.
    """

    last: Heartbeat | None = None
    silent: int = 0
    gone: int = 0
    waiting: int = 0
    busy: int = 0

    def feel(self, heartbeat: Heartbeat) -> None:
        """Counts one beat more."""
        self.gone = self.gone + 1 if heartbeat.is_gone else 0
        self.silent = self.silent + 1 if heartbeat == self.last else 0
        if not self.silent:
            same = self.last is not None and heartbeat.completed == self.last.completed
            self.waiting = self.waiting + 1 if same and not heartbeat.place else 0
            self.busy = self.busy + 1 if same and heartbeat.place else 0
            self.last = heartbeat
