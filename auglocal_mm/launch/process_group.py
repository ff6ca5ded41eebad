"""Joins the processes that a launcher started, or reports what is missing."""

import ctypes
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.utils.dl_utils import set_multi_processing
from torch.distributed import PrefixStore, TCPStore

from auglocal_mm.errors import InputError

RANKS = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}
"""The environment variable in which each launcher gives a process its rank."""
NEEDED = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK', 'MASTER_ADDR'),
}
"""The environment variables that MMEngine reads."""
STARTERS = {'pytorch': 'torchrun or tools/dist_train.sh', 'slurm': 'srun', 'mpi': 'mpirun with -x MASTER_ADDR'}
PR_SET_PDEATHSIG = 1
SECONDS_OF_SILENCE = 10


def join_processes(config: Config) -> None:
    """Starts the process group of ``config.launcher``, with GPUs as MMEngine does.

    A process that waits longer than ten seconds says for whom, and gives up after ``env_cfg.dist_cfg.timeout`` seconds.

    Raises:
        InputError: A variable that the launcher sets is missing, the port is in use, or other processes did not join.
    """
    if config.launcher == 'none' or torch.distributed.is_initialized():
        return
    _check_environment(config.launcher)
    # A process that waits in a collective runs no Python signal handler.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        end_with_parent()  # the processes of torchrun would survive it
    settings = dict(config.get('env_cfg', {}).get('dist_cfg', {}))
    with _said_if_it_takes_long(), _failures_as_sentences():
        if torch.cuda.is_available():
            set_multi_processing(**config.get('env_cfg', {}).get('mp_cfg', {}), distributed=True)
            init_dist(config.launcher, **settings, **_store_of_restart())
        else:
            limit = settings.get('timeout')
            torch.distributed.init_process_group(
                'gloo', timeout=limit and timedelta(seconds=limit), **_store_of_restart()
            )


def _store_of_restart() -> dict[str, Any]:
    """What ``init_process_group`` needs when torchrun has restarted the processes: its store has their old addresses."""
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    if attempt == '0' or os.environ.get('TORCHELASTIC_USE_AGENT_STORE') != 'True':
        return {}
    store = TCPStore(os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']), is_master=False)
    rank, size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
    return {'store': PrefixStore(f'attempt_{attempt}', store), 'rank': rank, 'world_size': size}


def end_with_parent() -> None:
    """Has the kernel send this process SIGTERM when its parent dies, for whatever reason."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _check_environment(launcher: str) -> None:
    for name in NEEDED[launcher]:
        if not os.environ.get(name):
            raise InputError(
                f'--launcher {launcher} needs the environment variable {name}, which is not set; start the processes with '
                f'{STARTERS[launcher]}, or a single one with --launcher none'
            )
    numbers = [name for name in NEEDED[launcher] if name not in ('MASTER_ADDR', 'SLURM_NODELIST')]
    for name in {*numbers, 'LOCAL_RANK', 'MASTER_PORT'}:
        value = os.environ.get(name, '0')
        if not value.isascii() or not value.isdecimal() or (name == 'MASTER_PORT' and int(value) >= 2**16):
            raise InputError(f'the environment variable {name} is {value!r}; expected an integer set by the launcher')
    if not torch.cuda.is_available():
        if launcher != 'pytorch':
            raise InputError(f'--launcher {launcher} needs GPUs, and there are none; use {STARTERS["pytorch"]} instead')
    elif launcher == 'pytorch' and int(os.environ['LOCAL_RANK']) >= torch.cuda.device_count():
        raise InputError(
            f'process {os.environ["LOCAL_RANK"]} of this machine (LOCAL_RANK, from 0) has no GPU: there are '
            f'{torch.cuda.device_count()}; start one process for each'
        )


@contextmanager
def _said_if_it_takes_long() -> Iterator[None]:
    message = f'waiting for the other processes at {_address()}; env_cfg.dist_cfg.timeout in the config limits the wait (seconds)'
    timer = threading.Timer(SECONDS_OF_SILENCE, lambda: print(message, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)  # PyTorch waits in C++, where no handler is run
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        timer.cancel()


@contextmanager
def _failures_as_sentences() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        text = str(error)
        if 'EADDRINUSE' in text:
            raise InputError(
                f'the port {os.environ["MASTER_PORT"]} (MASTER_PORT) is in use; choose another one, as in '
                'PORT=29501 tools/dist_train.sh, or torchrun --master_port 29501'
            ) from error
        joined = re.search(r'\d+/\d+ clients joined', text)
        raise InputError(
            f'the processes did not find each other at {_address()} ({joined[0] if joined else text.splitlines()[0]}); start '
            'all of them, with the same MASTER_ADDR and MASTER_PORT, or let them wait longer with env_cfg.dist_cfg.timeout'
        ) from error


def _address() -> str:
    """Where the processes meet, as far as it is known before MMEngine completes it."""
    return f'{os.environ.get("MASTER_ADDR", "the first machine")}:{os.environ.get("MASTER_PORT", "29500")}'
