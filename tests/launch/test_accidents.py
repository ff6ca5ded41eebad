import multiprocessing
import os
import signal
from contextlib import suppress

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from auglocal_mm.launch.accidents import accident_message, stop_signals
from auglocal_mm.launch.launch import command_line_tool

GLOO = '[../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81]'


class SignalledData(Dataset):
    """Whoever reads it gets a signal."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), self.number)
        return index


@pytest.mark.parametrize(('number', 'words'), [(signal.SIGSTOP, 'within 1 s'), (signal.SIGKILL, 'was killed')])
def test_a_stopped_or_killed_data_worker_ends_the_program_with_a_sentence(number, words, capsys):
    @command_line_tool
    def main(arguments=None):
        list(DataLoader(SignalledData(number), num_workers=1, timeout=1 if number == signal.SIGSTOP else 0))

    with pytest.raises(SystemExit) as caught:
        main()
    (said,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 1
    assert said.startswith('error: ')
    assert words in said
    for child in multiprocessing.active_children():
        child.join(timeout=5)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (f'{GLOO} Timed out waiting 6000ms for recv operation to complete', 'dist_cfg.timeout'),
        ('[3] Watchdog caught collective operation timeout: WorkNCCL(...) ran for 600000 ms', 'dist_cfg.timeout'),
        (f'{GLOO} Read error [127.0.0.1]:4711: Connection reset by peer', 'another process of this training ended'),
        ('NCCL error: remote process exited or there was a network error', 'another process of this training ended'),
    ],
)
def test_what_another_process_did_is_said_of_a_group_alone(text, words, monkeypatch):
    for error in (RuntimeError(text), torch.distributed.DistBackendError(text)):
        assert accident_message(error) is None
        with monkeypatch.context() as patch:
            patch.setattr(torch.distributed, 'is_initialized', lambda: True)
            assert words in accident_message(error)
            assert accident_message(ValueError(text)) is None
            assert accident_message(RuntimeError('mat1 and mat2 cannot be multiplied')) is None


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize('library', ['passes it on', 'raises something else', 'swallows it'])
def test_a_signal_stops_the_program_whatever_a_library_makes_of_it(number, status, library, capsys):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]

    def work():
        if library == 'swallows it':
            with suppress(BaseException):
                os.kill(os.getpid(), number)
            signal.pause()
        try:
            os.kill(os.getpid(), number)
        except BaseException:
            if library == 'passes it on':
                raise
            raise SyntaxError('Failed to format the config file') from None

    with pytest.raises(SystemExit) as caught, stop_signals():
        work()
    assert caught.value.code == status
    assert capsys.readouterr().err == 'stopped\n'
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
