"""Trainings by several processes."""

import socket
import subprocess
from collections.abc import Sequence

import torch
from tests_processes import Started


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def start(config, processes: int, *options: str) -> list[Started]:
    """A training by processes that have what torchrun gives them."""
    config.dump(f'{config.work_dir}.py')
    group = {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': free_port(), 'WORLD_SIZE': str(processes)}
    command = ('tools/train.py', f'{config.work_dir}.py', '--launcher', 'pytorch', *options)
    return [Started(*command, **group, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in range(processes)]


def ended(processes: Sequence[Started]) -> list[subprocess.CompletedProcess]:
    return [process.wait() for process in processes]


def train(config, processes: int, *options: str, checkpoint: str = 'epoch_2.pth') -> dict:
    """The checkpoint after a training by several processes."""
    for done in ended(start(config, processes, *options)):
        assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(f'{config.work_dir}/{checkpoint}', weights_only=False)
