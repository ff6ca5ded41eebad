"""What ends a training from outside: signals, killed or stopped data workers, lost processes of the group."""

import multiprocessing
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import torch

from auglocal_mm.launch.watch import close_watch, leave_word_to_watch, tell_others

ALONE = 'another process of this training ended; its own message says why'
IN_WORKERS = (
    (
        r'DataLoader timed out after ([\d.]+) seconds',
        'no data worker delivered a batch within {} s: one is stopped, or the disk does not respond; increase timeout of '
        'the data loader (train_dataloader, val_dataloader or test_dataloader), or set it to 0 to wait forever',
    ),
    (
        r'DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)',
        'the data worker with process id {} was killed, often because memory or shared memory (/dev/shm) is full; use fewer '
        'num_workers or a smaller batch_size, or find out who killed it',
    ),
)
IN_GROUPS = (
    (r'Connection (?:closed|reset) by peer', ALONE),
    (r'Broken pipe|remote process exited|Connection refused|recvValue failed|failed to recv|Socket closed', ALONE),
    (
        r'(?i)timed out|timeout',
        'another process of this training did not respond in time: it is stopped, or much slower; env_cfg.dist_cfg.timeout in '
        'the config is the number of seconds that processes wait for each other',
    ),
)


def accident_message(error: Exception) -> str | None:
    """What happened, or ``None`` for any other error."""
    return _message(error, IN_WORKERS) or _group_message(error)


def _group_message(error: BaseException) -> str | None:
    return _message(error, IN_GROUPS) if torch.distributed.is_initialized() else None


def _message(error: BaseException, known: Sequence[tuple[str, str]]) -> str | None:
    for pattern, message in known if isinstance(error, RuntimeError) else ():
        found = re.search(pattern, str(error))
        if found:
            return message.format(*found.groups())
    return None


@contextmanager
def all_processes_end() -> Iterator[None]:
    """At the end of what is done in it, waits for the other processes; an error of this process ends them, too.

    An error that another process has caused is left to the watch, which knows more.
    """
    try:
        yield
        close_watch()
    except BaseException as error:
        if _group_message(error):
            leave_word_to_watch()
        tell_others()
        raise


@contextmanager
def stop_signals() -> Iterator[None]:
    """Ends the program on Ctrl-C or SIGTERM with one word and the usual status, even if a library catches the exception."""
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.setitimer(signal.ITIMER_REAL, 1)  # once more, should a library swallow the exception
        # subprocess.run waits for the end of the program that it kills, but not over a KeyboardInterrupt.
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    try:
        yield
    except BaseException as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not received and not isinstance(error, KeyboardInterrupt):
            raise
        end('stopped', 128 + (received or [signal.SIGINT])[0])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end(message: str, status: int) -> NoReturn:
    """Ends the program, and its data workers, for which it would otherwise wait, with ``message`` on standard error."""
    print(message, file=sys.stderr)
    for worker in multiprocessing.active_children():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler raises when a worker is killed
        worker.kill()
    sys.exit(status)
