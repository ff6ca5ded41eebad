"""The auxiliary network of decoupled greedy learning."""

import math

from torch import Tensor, nn
from torch.nn import functional

from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class DGLHead(AuxiliaryHead):
    """Three 1x1 convolutions on maps pooled to a quarter of their side, then a three-layer perceptron.

    The MLP-SR-aux of *Decoupled Greedy Learning of CNNs* (Belilovsky et al., ICML 2020), as AugLocal compares with it.

    Args:
        placement: The place of the head in the network; the model fills it in.
    """

    def __init__(self, placement: Placement) -> None:
        super().__init__(placement)
        channels, side, _ = placement.map_size
        self.pooled = min(math.ceil(side / 4), 2)
        width = channels * self.pooled**2
        self.layers = nn.Sequential(*(_convolution(channels) for _ in range(3)))
        self.perceptron = nn.Sequential(
            nn.Flatten(), _linear(width), _linear(width), nn.Linear(width, placement.num_classes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        height, width = (math.ceil(side / 4) for side in features.shape[2:])
        features = self.layers(_average(features, height, width))
        return self.perceptron(_average(features, self.pooled, self.pooled))


def _average(features: Tensor, height: int, width: int) -> Tensor:
    """Means over a grid of windows; adaptive pooling, for windows of unequal sizes, is not deterministic on a GPU."""
    rows, columns = features.shape[2:]
    if rows % height or columns % width:
        return functional.adaptive_avg_pool2d(features, (height, width))
    return functional.avg_pool2d(features, (rows // height, columns // width))


def _convolution(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


def _linear(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())
