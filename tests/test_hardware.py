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

def new_pages(iterations):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(iterations):
        activations = [torch.ones(2**24) for _ in range(3)]  # more than glibc keeps by itself
        del activations
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / iterations

new_pages(5)
returned = new_pages(10)
keep_freed_memory()
new_pages(5)
assert new_pages(10) < returned / 4
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
