"""Hooks that write down what a test wants to see of every process."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class WriteBuffersHook(Hook):
    def after_val_epoch(self, runner, metrics=None) -> None:
        buffers = dict(unwrapped(runner.model).named_buffers())
        torch.save(buffers, f'{runner.work_dir}/buffers_{get_rank()}.pth')
