"""Has two processes measure cases, at the same time or one beside the other, and writes what they find."""

import argparse
import json
import logging
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from speed_cases import BATCH, CASES, SIDE, Case
from torch import distributed, multiprocessing

import auglocal_mm  # noqa: F401
from auglocal_mm.files.atomic import write_text
from auglocal_mm.hardware import keep_freed_memory
from auglocal_mm.launch.process_group import end_with_parent
from auglocal_mm.runtime.grid import arrange_processes

T = TypeVar('T')


def work(rank: int, port: int, action: Callable[[Case, int, int], Any], options: argparse.Namespace) -> None:
    """One of the two processes. The first one writes what ``action`` returns for each case, once it is there."""
    os.environ |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), 'RANK': str(rank), 'WORLD_SIZE': '2'}
    end_with_parent()
    torch.set_num_threads(1)
    keep_freed_memory()  # as training on a CPU does
    init_default_scope('auglocal_mm')
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # it would list the initialisation of every weight
    distributed.init_process_group('gloo')
    arrange_processes(2)
    for case in CASES:
        if options.only in case.name:
            row = action(case, rank, options.rounds)
            if rank == 0:
                write_row(options.out, row)
                print(f'measured {case.name}', flush=True)
    distributed.destroy_process_group()


def while_other_repeats(repeated: Callable[[], None] | None, rank: int, measure: Callable[[], T]) -> T:
    """What ``measure`` returns in the process of this rank, while the other repeats ``repeated`` or sleeps. Both call this."""
    distributed.barrier()
    found: list[Any] = [measure() if distributed.get_rank() == rank else None]
    ended = distributed.barrier(async_op=True)
    while repeated and distributed.get_rank() != rank and not ended.is_completed():
        repeated()
    ended.wait()
    distributed.broadcast_object_list(found, src=rank)
    return found[0]


def write_row(path: Path, row: Mapping[str, Any]) -> None:
    """Writes the row of a case to a file, which keeps those of other cases."""
    rows = json.loads(path.read_text())['cases'] if path.exists() else []
    found = {each['name']: each for each in [*rows, row]}
    setting = {'batch': BATCH, 'side': SIDE, 'torch': torch.__version__, 'cpu': torch.backends.cpu.get_cpu_capability()}
    cases = [found[case.name] for case in CASES if case.name in found]
    write_text(path, json.dumps({**setting, 'cases': cases}, indent=1) + '\n')


def run_processes(action: Callable[[Case, int, int], Any], name: str, description: str | None) -> Path:
    """Reads the command line, and has two processes call ``action`` with each case, their rank and the number of rounds.

    Returns:
        The file ``name`` that they wrote.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--rounds', type=int, default=3, help='each measures every method')
    parser.add_argument('--only', default='', help='part of the names of the cases')
    options = parser.parse_args()
    options.out /= name
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, (port, action, options), nprocs=2)
    return options.out
