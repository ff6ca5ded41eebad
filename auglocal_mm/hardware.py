"""What this machine is called, and what this process takes of its memory and its time."""

import ctypes
import platform
import re
import time
from pathlib import Path

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Options of glibc's ``mallopt``."""


def processor() -> str:
    """The model of the CPU; empty if the system does not say."""
    cpuinfo = Path('/proc/cpuinfo')
    found = re.search(r'model name\s*:\s*(.*)', cpuinfo.read_text()) if cpuinfo.is_file() else None
    return found[1] if found else platform.processor()


def device_name(device: str) -> str:
    """The model of the GPU where ``device`` is ``'cuda'``, and else that of the CPU."""
    return torch.cuda.get_device_name() if device == 'cuda' else processor()


def memory_of_process(entry: str) -> int:
    """An entry of ``/proc/self/status`` in bytes; ``getrusage`` would give a new process the peak of its parent."""
    found = re.search(rf'{entry}:\s+(\d+) kB', Path('/proc/self/status').read_text())
    return int(found[1]) * 1024 if found else 0


def seconds_now(device: torch.device) -> float:
    """The seconds of a clock when ``device`` has computed everything before.

    A CPU with a single thread has a clock of its own, which stops while other processes have its core.
    """
    if device.type != 'cuda':
        return time.thread_time() if torch.get_num_threads() == 1 else time.perf_counter()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees; without glibc nothing changes.

    Otherwise the activations and gradients of an iteration go back to the operating system, which clears the same memory again in
    the next one: up to a quarter of the time of a training on a CPU.
    """
    allocator = ctypes.CDLL(None)
    if hasattr(allocator, 'mallopt'):
        allocator.mallopt(M_MMAP_MAX, 0)
        allocator.mallopt(M_TRIM_THRESHOLD, -1)
