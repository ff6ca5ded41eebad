"""Plain convolutions instead of copied layers: an ablation of AugLocal's construction."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.errors import InputError
from auglocal_mm.models.auxiliary_heads.auglocal_head import AugLocalHead
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.models.heads import LinearHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class ConvolutionHead(AuxiliaryHead):
    """As many 1x1 or 3x3 convolutions as AugLocal copies layers, widened to the same FLOPs (section 4.4).

    Args:
        placement: The place of the head in the network; the model fills it in.
        depth: d, as for :class:`AugLocalHead`.
        kernel_size: 1 or 3.
        pyramid: As for :class:`AugLocalHead`.

    Raises:
        InputError: A key is out of range.
    """

    def __init__(self, placement: Placement, depth: int, kernel_size: int = 3, pyramid: float = 0.0) -> None:
        super().__init__(placement)
        if kernel_size not in (1, 3):
            raise InputError(f'auxiliary_heads.kernel_size is {kernel_size}; expected 1 or 3')
        model = AugLocalHead(placement, depth, pyramid).to('meta')
        strides = [max(_strides(layer)) for layer in model.layers]
        self.width = _widest(placement, strides, kernel_size, _multiply_adds(model, placement))
        widths = [placement.map_size[0], *[self.width] * len(strides)]
        self.layers = nn.Sequential(
            *(
                _convolution(old, new, kernel_size, stride)
                for (old, new), stride in zip(pairwise(widths), strides, strict=True)
            )
        )
        self.classifier = LinearHead(self.width, placement.num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        return self.classifier(self.layers(features))


def _convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _strides(layer: nn.Module) -> list[int]:
    return [module.stride[0] for module in layer.modules() if isinstance(module, nn.Conv2d)]


def _multiply_adds(head: nn.Module, placement: Placement) -> int:
    with FlopCounterMode(display=False) as counter:
        head(torch.empty(2, *placement.shape.size, device='meta'))
    return counter.get_total_flops() // 4  # two images, two operations per multiply-add


def _widest(placement: Placement, strides: list[int], kernel_size: int, budget: int) -> int:
    """The largest width whose convolutions and classifier cost at most ``budget`` multiply-adds, at least 1."""
    channels, height, width = placement.map_size
    pixels = []
    for stride in strides:
        height, width = -(-height // stride), -(-width // stride)
        pixels.append(height * width * kernel_size**2)

    def cost(w: int) -> int:
        return w * (channels * pixels[0] + placement.num_classes) + w * w * sum(pixels[1:])

    low, high = 1, 2
    while cost(high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost(middle) <= budget else (low, middle)
    return low
