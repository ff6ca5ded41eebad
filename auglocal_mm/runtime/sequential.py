"""Runs local modules one after the other, in one process."""

from functools import partial
from typing import Any

from torch import Tensor

from auglocal_mm.local.step import local_step
from auglocal_mm.registry import EXECUTORS
from auglocal_mm.runtime.executor import Executor


@EXECUTORS.register_module()
class SequentialExecutor(Executor):
    """Runs :func:`auglocal_mm.local.step.local_step`: each module is updated before the next one runs.

    Of modules that are trained in turn, those that are not due run forward only.

    With several processes its gradients are averaged while the next one runs, and the update follows.
    """

    trains_in_turn = True

    def step(self, images: Tensor, labels: Any, seed: int = 0) -> list[dict[str, Tensor]]:
        """One training iteration; see :class:`Executor`."""
        update, context = self.optim_wrapper.update_module, partial(self.context, seed)
        results = local_step(self.modules, images, labels, update, context, self.is_due)
        self.optim_wrapper.finish_update()
        return results
