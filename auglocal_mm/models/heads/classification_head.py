"""What every head of a local module offers: logits and their loss."""

from abc import ABCMeta, abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional


class ClassificationHead(BaseModule, metaclass=ABCMeta):
    """A head that learns class labels by cross-entropy.

    The primary network's classifier and all auxiliary networks are such heads, so that a local module is trained the same
    way wherever it stands. A local rule with other losses overrides :meth:`loss`.
    """

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of feature maps (N, C, H, W)."""

    def loss(self, features: Tensor, labels: Tensor, images: Tensor | None = None) -> dict[str, Tensor]:
        """The loss to minimise and diagnostics.

        Args:
            features: (N, C, H, W).
            labels: (N,) class indices.
            images: The network's input, for rules that need it.

        Returns:
            ``'loss'``, a scalar with gradient, and ``'accuracy'``, the detached top-1 accuracy in percent.
        """
        logits = self(features)
        with torch.no_grad():
            accuracy = (logits.argmax(dim=1) == labels).mean(dtype=torch.float32) * 100
        return {'loss': functional.cross_entropy(logits, labels), 'accuracy': accuracy}
