"""Averages running statistics over processes that train the same modules."""

from mmengine.dist import all_reduce_params
from mmengine.hooks import SyncBuffersHook as MMEngineSyncBuffersHook
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime.grid import num_replicas, replica_group


@HOOKS.register_module()
class SyncBuffersHook(MMEngineSyncBuffersHook):
    """MMEngine's hook, also where other processes train other local modules."""

    called_in_train: bool

    def before_val_epoch(self, runner: Runner) -> None:
        """Averages before a validation within an epoch."""
        if not self.called_in_train:
            average_buffers(runner.model)
        self.called_in_train = False

    def after_train_epoch(self, runner: Runner) -> None:
        """Averages after an epoch."""
        average_buffers(runner.model)
        self.called_in_train = True


def average_buffers(model: nn.Module) -> None:
    """Replaces running statistics by their mean over the processes that train the same modules."""
    if num_replicas() > 1:
        all_reduce_params(model.buffers(), op='mean', group=replica_group())
