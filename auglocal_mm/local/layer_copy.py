"""Copies the structure of a local layer with another input width and stride, and with fresh weights.

Each class of layers has one function, registered with ``@copy_structure.register``. Register one for the blocks of your
own network to build auxiliary networks from them.
"""

import copy
from functools import partial, singledispatch
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.efficientnet import MBConv, MBConvConfig
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.regnet import ResBottleneckBlock
from torchvision.models.vision_transformer import EncoderBlock

from auglocal_mm.errors import InputError

NORMS = (_BatchNorm, nn.GroupNorm)
POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def copy_layer(layer: nn.Module, in_channels: int, stride: int, pool: bool = False) -> nn.Module:
    """A layer with the structure of ``layer`` that takes ``in_channels`` and down-samples by ``stride``.

    Args:
        layer: A residual block of MMDetection, torchvision or this package, a MobileNetV2, EfficientNet or RegNet block,
            or a sequence of convolutions, norms and activations. Pooling layers of a sequence are left out.
        in_channels: Input width of the copy. Its output width is that of ``layer``.
        stride: 1 or 2, taken by the convolution that carries the stride in ``layer``'s own design.
        pool: Down-samples by max-pooling before the copy instead, as a VGG does.

    Raises:
        InputError: No function is registered for such a layer.
    """
    duplicate = copy_structure(layer, in_channels, 1 if pool else stride)
    for module in duplicate.modules():
        reset = getattr(module, 'reset_parameters', None)
        if reset is not None:
            reset()
    return nn.Sequential(nn.MaxPool2d(stride), duplicate) if pool and stride > 1 else duplicate


@singledispatch
def copy_structure(layer: Any, in_channels: int, stride: int) -> nn.Module:
    """A layer with the structure of ``layer``. This default is for residual blocks with conv1, conv2 and downsample."""
    if not all(hasattr(layer, name) for name in ('conv1', 'conv2', 'downsample')):
        raise InputError(
            f'a {type(layer).__name__} cannot be copied into an auxiliary network; expected a residual block or a sequence '
            'with a convolution, or a function registered with auglocal_mm.local.layer_copy.copy_structure.register'
        )
    replaced = {id(part): None for part in (layer.conv1, layer.conv2, layer.downsample)}
    duplicate = copy.deepcopy(layer, replaced)
    width = (layer.conv3 if hasattr(layer, 'conv3') else layer.conv2).out_channels
    # A Bottleneck strides in its 3x3 convolution, except in Caffe's style; a BasicBlock in its first one.
    strided = 'conv2' if hasattr(layer, 'conv3') and getattr(layer, 'style', 'pytorch') == 'pytorch' else 'conv1'
    duplicate.conv1 = like(layer.conv1, in_channels=in_channels, stride=1)
    duplicate.conv2 = like(layer.conv2, stride=1)
    setattr(duplicate, strided, like(getattr(duplicate, strided), stride=stride))
    duplicate.stride, duplicate.init_cfg = stride, None
    duplicate.downsample = None
    if stride != 1 or in_channels != width:
        norm = [child for child in layer.children() if isinstance(child, NORMS)][-1]
        projection = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False)
        duplicate.downsample = nn.Sequential(projection, copy.deepcopy(norm))
    return duplicate


@copy_structure.register
def _(layer: nn.Sequential, in_channels: int, stride: int) -> nn.Module:
    if not any(isinstance(child, nn.Conv2d) for child in layer):
        # A block and the norm of its output.
        block, *rest = layer
        return nn.Sequential(copy_structure(block, in_channels, stride), *map(copy.deepcopy, rest))
    duplicate = nn.Sequential(*(copy.deepcopy(child) for child in layer if not isinstance(child, POOLS)))
    first = True
    for index, child in enumerate(duplicate):
        if isinstance(child, nn.Conv2d):
            duplicate[index] = like(child, in_channels=in_channels, stride=stride) if first else like(child, stride=1)
            first = False
    return duplicate


@copy_structure.register
def _(layer: InvertedResidual, in_channels: int, stride: int) -> nn.Module:
    first, last = layer.conv[0][0], layer.conv[-2]
    expansion = 1 if first.groups > 1 else first.out_channels // first.in_channels
    return InvertedResidual(in_channels, last.out_channels, stride, expansion, norm_layer=type(layer.conv[-1]))


@copy_structure.register
def _(layer: EncoderBlock, in_channels: int, stride: int) -> nn.Module:
    return EncoderBlock(
        layer.num_heads,
        in_channels,
        layer.mlp.get_submodule('0').out_features,
        layer.dropout.p,
        layer.self_attention.dropout,
        partial(nn.LayerNorm, eps=layer.ln_1.eps),
    )


@copy_structure.register
def _(layer: MBConv, in_channels: int, stride: int) -> nn.Module:
    first, depthwise = layer.block[0][0], next(m for m in layer.modules() if isinstance(m, nn.Conv2d) and m.groups > 1)
    expansion = 1 if first is depthwise else first.out_channels / first.in_channels
    config = MBConvConfig(expansion, depthwise.kernel_size[0], stride, in_channels, layer.out_channels, num_layers=1)
    return MBConv(config, layer.stochastic_depth.p, norm_layer=type(layer.block[-1][1]))


@copy_structure.register
def _(layer: ResBottleneckBlock, in_channels: int, stride: int) -> nn.Module:
    grouped, last = layer.f.b[0], layer.f.c[0]
    return ResBottleneckBlock(
        in_channels,
        last.out_channels,
        stride,
        norm_layer=type(layer.f.c[1]),
        activation_layer=type(layer.activation),
        group_width=grouped.in_channels // grouped.groups,
        bottleneck_multiplier=grouped.in_channels / last.out_channels,
        se_ratio=layer.f.se.fc1.out_channels / layer.f.se.fc1.in_channels if hasattr(layer.f, 'se') else None,
    )


def like(
    convolution: nn.Conv2d, stride: int | None = None, in_channels: int | None = None, out_channels: int | None = None
) -> nn.Conv2d:
    """``convolution`` with fresh weights and, where given, another stride and other widths."""
    keys = ('kernel_size', 'stride', 'padding', 'dilation', 'groups')
    kept: dict[str, Any] = {key: getattr(convolution, key) for key in keys}
    if stride is not None:
        kept['stride'] = stride
    widths = in_channels or convolution.in_channels, out_channels or convolution.out_channels
    return nn.Conv2d(*widths, bias=convolution.bias is not None, **kept)
