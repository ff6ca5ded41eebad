"""The interface of every classification head: logits and their loss."""

from abc import abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional

from auglocal_mm.local.module import Head
from auglocal_mm.local.state import State, Targets


class ClassificationHead(BaseModule, Head):
    """A head that learns class labels by cross-entropy.

    The primary network's classifier and all auxiliary networks are such heads, so that every local module is trained the
    same way. A method with other losses overrides :meth:`loss`, a head that reads taps :meth:`logits`.
    """

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of maps (N, C, H, W) or tokens (N, T, C)."""

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """The loss to minimise and diagnostics.

        Args:
            state: The state after the local module.
            targets: Class indices (N,), and the images for methods that need them.

        Returns:
            ``'loss'``, a scalar with gradient, and ``'accuracy'``, the detached top-1 accuracy in percent.
        """
        logits = self.logits(state)
        with torch.no_grad():
            accuracy = (logits.argmax(dim=1) == targets.labels).mean(dtype=torch.float32) * 100
        return {'loss': functional.cross_entropy(logits, targets.labels), 'accuracy': accuracy}
