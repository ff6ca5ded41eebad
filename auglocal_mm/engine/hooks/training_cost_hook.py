"""Measures the time and the memory of a training."""

import time
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from pydantic import BaseModel

from auglocal_mm.files.json_file import fit
from auglocal_mm.hardware import memory_of_process
from auglocal_mm.private import checkpoint_to_load
from auglocal_mm.registry import HOOKS
from auglocal_mm.weights.backbone_record import TrainingCost


class _Meta(BaseModel):
    """What is read of a checkpoint's ``meta``."""

    auglocal_mm: TrainingCost = TrainingCost()


@HOOKS.register_module()
class TrainingCostHook(Hook):
    """Records the wall time and the peak memory of a training in its checkpoints, over all its resumes.

    Neither is recorded if the checkpoint that it was resumed from has none.
    """

    priority = 'NORMAL'  # before MMEngine's logger, which resets PyTorch's peak, and before the backbone's export

    def __init__(self) -> None:
        self.earlier = TrainingCost(training_seconds=0.0, peak_memory={})
        self.start: float | None = None
        self.allocated = 0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Takes the cost so far from the checkpoint that is resumed.

        Raises:
            InputError: Its record is invalid.
        """
        resumed, path = checkpoint_to_load(runner)
        if resumed:
            advice = 'resume from an earlier checkpoint'
            self.earlier = fit(checkpoint.get('meta') or {}, _Meta, f'meta of {path}', advice).auglocal_mm

    def before_train(self, runner: Runner) -> None:
        """Starts the clock."""
        self.start = time.monotonic()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Reads the peak on a GPU, which PyTorch keeps without the device being asked."""
        if get_device() == 'cuda':
            self.allocated = max(self.allocated, torch.cuda.max_memory_allocated())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Records the cost until now, in a training."""
        if self.start is None:
            return
        cost: dict[str, Any] = {}
        if self.earlier.training_seconds is not None:
            seconds = self.earlier.training_seconds + time.monotonic() - self.start
            cost['training_seconds'] = round(seconds, 3)
        if self.earlier.peak_memory is not None:
            cost['peak_memory'] = self._peak(self.earlier.peak_memory)
        checkpoint['meta'].setdefault('auglocal_mm', {}).update(cost)

    def _peak(self, earlier: Mapping[str, int]) -> dict[str, int]:
        on_gpu = get_device() == 'cuda'
        kind, now = ('allocated', self.allocated) if on_gpu else ('resident', memory_of_process('VmHWM'))
        return {**earlier, kind: max(now, earlier.get(kind, 0))}
