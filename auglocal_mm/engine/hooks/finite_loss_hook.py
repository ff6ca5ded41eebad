"""Ends a training by backpropagation that has diverged; :class:`AugLocalHook` does the same for local losses."""

from typing import Any

import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from torch import Tensor

from auglocal_mm.engine.divergence import divergence
from auglocal_mm.engine.passes import finished_passes
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Refuses to continue, or to write a checkpoint, after a loss that is not finite.

    It checks as often as the logger writes a line, so that nothing is read from the device in between.
    """

    def __init__(self) -> None:
        self.total: Tensor | None = None

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Accumulates the loss, and checks the sum as often as the logger writes a line.

        Raises:
            InputError: A loss was not finite.
        """
        loss = (outputs or {}).get('loss')
        if isinstance(loss, Tensor):
            self.total = loss.detach() if self.total is None else self.total + loss.detach()
        interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 50)
        last = self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner)
        if last or self.every_n_inner_iters(batch_idx, interval):
            self._check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks once more.

        Raises:
            InputError: A loss was not finite; the checkpoint is not written.
        """
        self._check(runner)

    def _check(self, runner: Runner) -> None:
        total, self.total = self.total, None
        if total is not None and not torch.isfinite(total):
            epoch = finished_passes(runner, runner.iter) + 1
            raise divergence(runner, f'the loss became {float(total)} by iteration {runner.iter + 1} (epoch {epoch})')
