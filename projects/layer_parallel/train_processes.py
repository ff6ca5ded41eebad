"""Trains with ``tools/train.py`` in real processes, which have the environment that torchrun gives its own.

They are forked from one process that has PyTorch and MMDetection in memory, which saves seconds of imports for each.
"""

import functools
import gc
import multiprocessing
import os
import runpy
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from yapf.yapflib import yapf_api

from auglocal_mm.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORTS = (
    'auglocal_mm.analysis.isolation',
    'auglocal_mm.benchmark.summary',
    'mmdet.models',
    'rich.progress',
    'yapf.yapflib.yapf_api',
)
"""What the processes and their scripts import."""


@dataclass
class Started:
    """A process of a training, and the file with what it says."""

    process: ForkServerProcess
    log: Path

    @property
    def last_line(self) -> str:
        """What it has said last."""
        lines = self.log.read_text(errors='replace').split('\n') if self.log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), 'nothing')


def start(config: Path, work_dir: Path, processes: int, *options: str) -> list[Started]:
    """Starts a training.

    Args:
        config: Its config file.
        work_dir: Its folder, beside which each process has a log.
        processes: Their number; 0 for a single one without a launcher.
        *options: More options of ``tools/train.py``.
    """
    arguments = [str(config), '--work-dir', str(work_dir), *options]
    if not processes:
        return [_start(arguments, {}, work_dir.with_suffix('.log'))]
    group = {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': _free_port(), 'WORLD_SIZE': str(processes)}
    arguments += ['--launcher', 'pytorch']
    return [
        _start(arguments, {**group, 'RANK': str(rank), 'LOCAL_RANK': str(rank)}, work_dir.with_suffix(f'.{rank}.log'))
        for rank in range(processes)
    ]


def finish(started: Sequence[Started]) -> None:
    """Waits for the end of a training.

    Raises:
        InputError: A process failed; the others are killed.
    """
    try:
        while any(each.process.exitcode is None for each in started):
            _refuse_failures(started)
            time.sleep(0.05)
        _refuse_failures(started)
    finally:
        for each in started:
            each.process.kill()
            each.process.join()


def _refuse_failures(started: Sequence[Started]) -> None:
    failed = next((each for each in started if each.process.exitcode), None)
    if failed is not None:
        status = failed.process.exitcode
        raise InputError(f'a training ended with status {status} and said {failed.last_line!r}; see {failed.log}')


def _start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Started:
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _server().Process(target=_train, args=(arguments, environment, log), daemon=True)
    process.start()
    return Started(process, log)


@functools.cache
def _server() -> ForkServerContext:
    os.environ['OMP_NUM_THREADS'] = '1'  # the rounding of a sum depends on the number of threads
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([*IMPORTS])
    return context


def _train(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    gc.freeze()  # imported libraries have a million objects, which garbage collections would visit
    yapf_api.FormatCode = lambda code, **_: (code, True)  # MMEngine formats the config nine times, for the log alone
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    with open(log, 'ab') as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.argv = ['tools/train.py', *arguments]
    runpy.run_path('tools/train.py', run_name='__main__')


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])
