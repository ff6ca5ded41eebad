"""AugLocal's auxiliary network as data: which layers it copies, how wide, and with which strides. Plain PyTorch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.depth import downsampling_strides, select_layers, widening_strides
from auglocal_mm.local.layer_copy import copy_layer
from auglocal_mm.local.layer_width import narrow_channels, narrow_layer
from auglocal_mm.local.shapes import FeatureShape

DOWNSAMPLINGS = ('stride', 'max_pool')


@dataclass(frozen=True)
class CopiedLayer:
    """One hidden layer, with the structure of a local layer.

    Attributes:
        source: Index of the local layer, from 1.
        in_channels: Channels of its input.
        stride: Its down-sampling factor.
        pool: Whether it down-samples by max-pooling its input instead.
        width: Its channels relative to those of the local layer.
        pooling: Factor by which its input is average-pooled first. The last windows average the pixels that are left, so that
            maps of any size have at least one window.
    """

    source: int
    in_channels: int
    stride: int
    pool: bool = False
    width: float = 1.0
    pooling: int = 1

    def build(self, modules: Sequence[nn.Module]) -> nn.Module:
        """The layer with fresh weights; ``modules`` are the modules of all local layers."""
        source = modules[self.source - 1]
        if self.width != 1:
            source = narrow_layer(source, self.width)
        duplicate = copy_layer(source, self.in_channels, self.stride, self.pool)
        if self.pooling == 1:
            return duplicate
        return nn.Sequential(nn.AvgPool2d(self.pooling, ceil_mode=True), duplicate)


@dataclass(frozen=True)
class HeadBlueprint:
    """An auxiliary network, as it is built and as its cost is planned.

    Attributes:
        layers: Its hidden layers.
        channels: Input channels of its classifier.
    """

    layers: tuple[CopiedLayer, ...]
    channels: int


def head_blueprint(
    shapes: Sequence[FeatureShape],
    layer: int,
    hidden: int,
    selection: str = 'uniform',
    rounding: str = 'half_even',
    downsampling: str = 'stride',
    width: float = 1.0,
    pooling: int = 1,
) -> HeadBlueprint:
    """The auxiliary network with ``hidden`` layers after a local layer (section 3.2).

    Args:
        shapes: Shape of every local layer's output.
        layer: l, index of the local layer whose output it takes, from 1.
        hidden: D_l, the number of layers to copy; fewer if fewer remain.
        selection: Which layers, see :func:`auglocal_mm.local.depth.select_layers`.
        rounding: Of layer indices that fall half-way.
        downsampling: ``'stride'`` in copied layers, or ``'max_pool'`` where the width changes, as released for VGG.
        width: Channels of the copied layers relative to those of the local layers, above 0 and at most 1.
        pooling: Factor by which the features are average-pooled before the first copied layer; the strides stay the same.

    Raises:
        InputError: A key is out of range.
    """
    if downsampling not in DOWNSAMPLINGS:
        raise InputError(f'downsampling is {downsampling!r}; expected one of {", ".join(DOWNSAMPLINGS)}')
    _check_size(shapes[layer - 1], width, pooling)
    sources = select_layers(layer, len(shapes), hidden, selection, rounding)
    own, copied = shapes[layer - 1], [shapes[source - 1] for source in sources]
    pool = downsampling == 'max_pool'
    if pool:
        strides = widening_strides(own.channels, [shape.channels for shape in copied])
        _check_max_pools(own, strides, pooling)
    else:
        strides = downsampling_strides(own.side, [shape.side for shape in copied])
    widths = [own.channels, *(narrow_channels(shape.channels, width) for shape in copied)]
    layers = tuple(
        CopiedLayer(source, in_channels, stride, pool, width, 1 if index else pooling)
        for index, (source, in_channels, stride) in enumerate(zip(sources, widths, strides, strict=False))
    )
    return HeadBlueprint(layers, widths[-1])


def _check_max_pools(shape: FeatureShape, strides: Sequence[int], pooling: int) -> None:
    if pooling > 1 and math.ceil(min(shape.positions) / pooling) < math.prod(strides):
        raise InputError(
            f"auxiliary_heads.pooling is {pooling}, which leaves too little of maps of shape {shape.size} for the head's "
            f'max-pooling by {math.prod(strides)}; remove the key, or use larger images'
        )


def _check_size(shape: FeatureShape, width: float, pooling: int) -> None:
    if not isinstance(width, int | float) or not 0 < width <= 1:
        raise InputError(
            f'auxiliary_heads.width is {width!r}; expected a number above 0, and at most 1 (as wide as released)'
        )
    if not isinstance(pooling, int) or pooling < 1:
        raise InputError(f'auxiliary_heads.pooling is {pooling!r}; expected an integer from 1 (no pooling)')
    if pooling > 1 and len(shape.positions) != 2:
        raise InputError(
            f'auxiliary_heads.pooling is {pooling}, but the features are tokens of shape {shape.size}; expected maps (C, H, W): '
            'remove the key'
        )
