"""Copies the structure of a local layer with another input width and stride; the weights are fresh."""

import copy
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from auglocal_mm.errors import InputError

NORMS = (_BatchNorm, nn.GroupNorm)


def is_residual_block(layer: Any) -> bool:
    """Whether ``layer`` is a BasicBlock or Bottleneck, torchvision's or MMDetection's."""
    return all(hasattr(layer, name) for name in ('conv1', 'conv2', 'downsample'))


def layer_width(layer: Any) -> int:
    """Channels that leave ``layer``.

    Raises:
        InputError: The layer is neither a residual block nor a sequence with a convolution.
    """
    if is_residual_block(layer):
        return (layer.conv3 if hasattr(layer, 'conv3') else layer.conv2).out_channels
    convolutions = [m for m in layer.modules() if isinstance(m, nn.Conv2d)]
    if not isinstance(layer, nn.Sequential) or not convolutions:
        raise InputError(
            f'the structure of a {type(layer).__name__} cannot be copied into an auxiliary network; '
            'expected a residual block (conv1, conv2, downsample) or a sequence with a convolution'
        )
    return convolutions[-1].out_channels


def base_width(layer: Any) -> int:
    """Channels of ``layer`` before a Bottleneck's expansion, which alone tells how far its stage has down-sampled.

    A ResNet-50's stem has 64 channels and its first stage 256 on maps of the same size: both have base width 64.
    """
    return layer_width(layer) // getattr(layer, 'expansion', 1)


def copy_layer(layer: Any, in_channels: int, stride: int) -> nn.Module:
    """A layer with the structure of ``layer`` that takes ``in_channels`` and down-samples by ``stride``.

    Args:
        layer: A residual block, or a sequence of convolutions, norms and activations. Pooling layers of a sequence are
            left out: the auxiliary network down-samples by strides alone.
        in_channels: Input width of the copy. Its output width is that of ``layer``.
        stride: 1 or 2, taken by the convolution that carries the stride in ``layer``'s own design.
    """
    layer_width(layer)  # refuses what cannot be copied
    duplicate = (
        _copy_block(layer, in_channels, stride)
        if is_residual_block(layer)
        else _copy_sequence(layer, in_channels, stride)
    )
    for module in duplicate.modules():
        reset = getattr(module, 'reset_parameters', None)
        if reset is not None:
            reset()
    return duplicate


def _copy_block(block: Any, in_channels: int, stride: int) -> nn.Module:
    duplicate, width = copy.deepcopy(block), layer_width(block)
    # A Bottleneck strides in its 3x3 convolution, except in Caffe's style; a BasicBlock in its first one.
    strided = 'conv2' if hasattr(block, 'conv3') and getattr(block, 'style', 'pytorch') == 'pytorch' else 'conv1'
    duplicate.conv1 = _like(block.conv1, in_channels=in_channels, stride=1)
    duplicate.conv2 = _like(block.conv2, stride=1)
    setattr(duplicate, strided, _like(getattr(duplicate, strided), stride=stride))
    duplicate.stride, duplicate.init_cfg = stride, None
    duplicate.downsample = None
    if stride != 1 or in_channels != width:
        norm = [child for child in block.children() if isinstance(child, NORMS)][-1]
        projection = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False)
        duplicate.downsample = nn.Sequential(projection, copy.deepcopy(norm))
    return duplicate


def _copy_sequence(sequence: Any, in_channels: int, stride: int) -> nn.Module:
    pools = (nn.MaxPool2d, nn.AvgPool2d)
    duplicate = nn.Sequential(*(copy.deepcopy(child) for child in sequence.children() if not isinstance(child, pools)))
    first = True
    for index, child in enumerate(duplicate):
        if isinstance(child, nn.Conv2d):
            duplicate[index] = _like(child, in_channels=in_channels, stride=stride) if first else _like(child, stride=1)
            first = False
    return duplicate


def _like(convolution: nn.Conv2d, stride: int, in_channels: int | None = None) -> nn.Conv2d:
    """``convolution`` with another stride and, if given, another input width."""
    return nn.Conv2d(
        in_channels or convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=stride,
        padding=convolution.padding,  # type: ignore[arg-type]
        dilation=convolution.dilation,  # type: ignore[arg-type]
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )
