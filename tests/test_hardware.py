from pathlib import Path

from auglocal_mm.hardware import device_name, memory_of_process, processor


def test_the_processor_is_named_as_the_system_names_it():
    assert device_name('cpu') == processor()
    assert processor() in Path('/proc/cpuinfo').read_text() or 'model name' not in Path('/proc/cpuinfo').read_text()


def test_the_peak_is_no_less_than_the_memory_now():
    assert memory_of_process('VmHWM') >= memory_of_process('VmRSS') > 2**20
    assert memory_of_process('VmNothing') == 0
