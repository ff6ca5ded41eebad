"""Freezes auxiliary networks gradually."""

from collections.abc import Iterable
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class FreezeAuxiliaryHook(Hook):
    """Stops the training of the hidden layers of auxiliary networks one after the other, from the primary network outwards.

    Named by AugLocal's authors as future work (section 5 of arXiv 2402.17318); the schedule is ours. Gradients still flow
    through frozen layers into the local module; what is saved is the gradients of their weights and their updates. Their
    norms keep using the statistics of the batch, and classifiers are never frozen.

    Args:
        start: Share of the training, in epochs or in iterations, after which the first layer is frozen. The k-th of n
            hidden layers follows at ``start + (end - start) * (k - 1) / n``.
        end: Share after which one more layer would be frozen.

    Raises:
        InputError: Not 0 <= start < end <= 1.
    """

    def __init__(self, start: float = 0.5, end: float = 1.0) -> None:
        if not 0 <= start < end <= 1:
            raise InputError(f'FreezeAuxiliaryHook got start={start}, end={end}; expected 0 <= start < end <= 1')
        self.start, self.end = start, end

    def before_train_epoch(self, runner: Runner) -> None:
        """Freezes the layers that are due in this epoch; a resumed run freezes the same ones.

        Raises:
            InputError: A head has no hidden layers of its own, or there are no heads.
        """
        model = unwrapped(runner.model)
        heads = getattr(model, 'auxiliary_heads', None) or []
        if not heads or not all(hasattr(head, 'layers') for head in heads):
            raise InputError(
                'FreezeAuxiliaryHook needs auxiliary heads with hidden layers, such as AugLocalHead; remove the hook'
            )
        self._freeze(runner, heads)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Freezes the layers that are due in this iteration, in training by iterations."""
        if counts_iterations(runner):
            self._freeze(runner, unwrapped(runner.model).auxiliary_heads)

    def _freeze(self, runner: Runner, heads: Iterable[Any]) -> None:
        progress = (runner.iter / runner.max_iters - self.start) / (self.end - self.start)
        for head in heads:
            hidden = list(head.layers)
            frozen = 0 if progress < 0 else int(progress * len(hidden)) + 1
            for index, layer in enumerate(hidden):
                layer.requires_grad_(index >= frozen)
