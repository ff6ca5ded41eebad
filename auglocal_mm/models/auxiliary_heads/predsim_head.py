"""PredSim: a prediction loss on pooled features, and a loss that matches similarities to those of the labels."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import Targets
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class PredSimHead(AuxiliaryHead):
    """A linear classifier on pooled features, and similarity matching through one convolution.

    *Training Neural Networks with Local Error Signals* (Nøkland and Eidnes, ICML 2019), as in AugLocal's comparisons.

    If a side is not a multiple of the pooling kernel, the last windows average the remaining pixels. The released code
    pads them with zeros, which differs only there: on the maps of 24 pixels that STL-10 gives.

    Args:
        placement: The place of the head in the network; the model fills it in.
        pooled_features: Largest number of input features of the linear classifier.
        loss_weights: Of ``cross_entropy`` and ``similarity``, as for :class:`AuxiliaryHead`.

    Raises:
        InputError: The maps have more channels than ``pooled_features``.
    """

    terms = ('cross_entropy', 'similarity')

    def __init__(
        self,
        placement: Placement,
        pooled_features: int = 512,
        loss_weights: Mapping[str, float | Sequence[float]] | None = None,
    ) -> None:
        super().__init__(placement, {'cross_entropy': 0.01, 'similarity': 0.99, **(loss_weights or {})})
        channels, height, width = placement.map_size
        self.kernel = pooling_kernel(channels, height, width, pooled_features)
        pooled = channels * math.ceil(height / self.kernel[0]) * math.ceil(width / self.kernel[1])
        self.num_classes = placement.num_classes
        self.classifier = nn.Linear(pooled, placement.num_classes)
        self.similarity = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W).

        Raises:
            InputError: The maps do not have the size for which the head was built.
        """
        pooled = functional.avg_pool2d(features, self.kernel, ceil_mode=True).flatten(1)
        if pooled.shape[1] != self.classifier.in_features:
            raise InputError(
                f'PredSimHead got maps of shape {tuple(features.shape[1:])}, which pool to {pooled.shape[1]} features; '
                f'expected {self.classifier.in_features}; set model.image_size to the size of the training images'
            )
        return self.classifier(pooled)

    def extra_losses(self, features: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The similarity matching loss."""
        classes = functional.one_hot(targets.labels, self.num_classes).to(features.dtype)
        maps = self.similarity(features).flatten(2)
        # Maps of one pixel have no standard deviation over positions, so the channels themselves are compared.
        vectors = maps.std(dim=2) if maps.shape[2] > 1 else maps.squeeze(2)
        return {'similarity': functional.mse_loss(similarity_matrix(vectors), similarity_matrix(classes))}


def similarity_matrix(vectors: Tensor) -> Tensor:
    """Adjusted cosine similarities (N, N) of N vectors (N, C): each vector's mean is subtracted first.

    In float32 at least, also under autocast: most of the loss comes from small differences of values near one.
    """
    centred = vectors.float() if vectors.dtype in (torch.bfloat16, torch.float16) else vectors
    centred = centred - centred.mean(dim=1, keepdim=True)
    unit = centred / (centred.norm(dim=1, keepdim=True) + 1e-8)
    with torch.autocast(unit.device.type, enabled=False):
        return (unit @ unit.T).clamp(-1, 1)


def pooling_kernel(channels: int, height: int, width: int, features: int) -> tuple[int, int]:
    """The smallest kernel (height, width) of powers of two that leaves at most ``features``; the height grows first.

    Raises:
        InputError: Even a single pixel has more features.
    """
    if channels > features:
        raise InputError(
            f'PredSimHead cannot pool {channels} channels to {features} features; raise auxiliary_heads.pooled_features'
        )
    kernel = [1, 1]
    axis = 0
    while channels * math.ceil(height / kernel[0]) * math.ceil(width / kernel[1]) > features:
        kernel[axis] *= 2
        axis = 1 - axis
    return kernel[0], kernel[1]
