"""Hooks that write down what a test wants to see of every process."""

import os
import signal
import time
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from torch import distributed, nn

from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.launch import watch
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class WriteBuffersHook(Hook):
    def after_val_epoch(self, runner, metrics=None) -> None:
        buffers = dict(unwrapped(runner.model).named_buffers())
        torch.save(buffers, f'{runner.work_dir}/buffers_{get_rank()}.pth')


@HOOKS.register_module()
class CountStateHook(Hook):
    """Writes how many bytes of weights, statistics and optimizer state a process has."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        tensors = [*runner.model.parameters(), *runner.model.buffers()]
        for wrapper in runner.optim_wrapper.values():
            tensors += [v for state in wrapper.optimizer.state.values() for v in state.values() if torch.is_tensor(v)]
        Path(runner.work_dir, f'state_{get_rank()}.txt').write_text(str(sum(t.nbytes for t in tensors)))


@HOOKS.register_module()
class SignalHook(Hook):
    """Sends a signal to a process after an iteration, unless torchrun has started it again."""

    priority = 'VERY_LOW'

    def __init__(self, rank: int, completed: int, number: str, silence: float = watch.SILENCE) -> None:
        self.rank, self.completed, self.number = rank, completed, number
        watch.SILENCE = silence

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        again = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') != '0'
        if get_rank() == self.rank and runner.iter + 1 == self.completed and not again:
            time.sleep(3 * watch.BEAT)
            os.kill(os.getpid(), getattr(signal, self.number))
            time.sleep(5 * watch.BEAT)  # a thread ends the process


@HOOKS.register_module()
class HangHook(Hook):
    """Has the main thread of a process never come back after an iteration; the others then wait for a tenth of the limit."""

    priority = 'VERY_LOW'

    def __init__(self, rank: int, completed: int) -> None:
        self.rank, self.completed = rank, completed

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.completed:
            for each in watch._current:
                each.timeout /= 10
            while get_rank() == self.rank:
                time.sleep(0.1)


@HOOKS.register_module()
class WriteNormGroupsHook(Hook):
    """Writes over which processes each SyncBatchNorm takes its statistics, and ends the training, which needs a GPU.

    PyTorch refuses such norms in a DistributedDataParallel on the CPU: they take their place after it is built.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:
        nn.SyncBatchNorm.convert_sync_batchnorm(runner.model)

    def before_train(self, runner) -> None:
        norms = [each for each in unwrapped(runner.model).modules() if isinstance(each, nn.SyncBatchNorm)]
        groups = {tuple(distributed.get_process_group_ranks(norm.process_group)) for norm in norms}
        Path(runner.work_dir, f'groups_{get_rank()}.txt').write_text(str(sorted(groups)))
        distributed.barrier()
        raise SystemExit(0)
