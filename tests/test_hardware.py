import subprocess
import sys
import time
from pathlib import Path

import torch

from auglocal_mm.hardware import device_name, memory_of_process, processor, seconds_now


def test_the_processor_is_named_as_the_system_names_it():
    assert device_name('cpu') == processor()
    assert processor() in Path('/proc/cpuinfo').read_text() or 'model name' not in Path('/proc/cpuinfo').read_text()


def test_the_peak_is_no_less_than_the_memory_now():
    assert memory_of_process('VmHWM') >= memory_of_process('VmRSS') > 2**20
    assert memory_of_process('VmNothing') == 0


def test_memory_that_is_freed_is_not_new_again():
    """In a process of its own: this one keeps its memory already."""
    code = """
import resource
import torch
from auglocal_mm.hardware import keep_freed_memory

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(2**26, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

new_pages()
assert new_pages() > 2**26 / resource.getpagesize() / 2
keep_freed_memory()
for _ in range(20):  # until the holes that aligned memory leaves fit
    new_pages()
assert new_pages() < 100
"""
    subprocess.run([sys.executable, '-c', code], check=True)


def test_the_clock_of_a_single_thread_stops_while_it_waits(monkeypatch):
    device = torch.device('cpu')
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 1)
    start = seconds_now(device)
    time.sleep(0.2)
    assert seconds_now(device) - start < 0.1
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    start = seconds_now(device)
    time.sleep(0.02)
    assert seconds_now(device) - start >= 0.02
