"""Moving average of the weights of the primary network."""

from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.registry import HOOKS, MODELS


@HOOKS.register_module()
class PrimaryEMAHook(EMAHook):
    """MMEngine's ``EMAHook`` on the primary network alone.

    Auxiliary heads are discarded after training and can be far larger than the backbone: averaging them would only cost
    memory. The averaged weights are validated, saved in the checkpoints, and exported.
    """

    def before_run(self, runner: Runner) -> None:
        """Copies backbone and classifier as the initial average."""
        model = unwrapped(runner.model)
        self.src_model = nn.ModuleDict({'backbone': model.backbone, 'head': model.head})
        self.ema_model = MODELS.build(self.ema_cfg, default_args={'model': self.src_model})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Puts the average into the checkpoint, with running statistics as they are validated: those of all processes."""
        if not self.ema_model.update_buffers:
            for average, own in zip(self.ema_model.module.buffers(), self.src_model.buffers(), strict=True):
                average.copy_(own)
        super().before_save_checkpoint(runner, checkpoint)
