"""AugLocal's auxiliary network as data: which layers it copies, how wide and with which strides. Plain PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.depth import downsampling_strides, select_layers, widening_strides
from auglocal_mm.local.layer_copy import copy_layer
from auglocal_mm.local.shapes import FeatureShape

DOWNSAMPLINGS = ('stride', 'max_pool')


@dataclass(frozen=True)
class CopiedLayer:
    """One hidden layer: the structure of a local layer.

    Attributes:
        source: The local layer, counted from 1.
        in_channels: Of its input.
        stride: By which it down-samples.
        pool: Whether it down-samples by max-pooling in front instead.
    """

    source: int
    in_channels: int
    stride: int
    pool: bool = False

    def build(self, modules: Sequence[nn.Module]) -> nn.Module:
        """The layer with fresh weights; ``modules`` are those of all local layers."""
        return copy_layer(modules[self.source - 1], self.in_channels, self.stride, self.pool)


@dataclass(frozen=True)
class HeadBlueprint:
    """An auxiliary network, from which it is built and from which its cost is planned.

    Attributes:
        layers: Its hidden layers.
        channels: Of what its classifier gets.
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
) -> HeadBlueprint:
    """The auxiliary network with ``hidden`` layers behind a local layer (section 3.2).

    Args:
        shapes: Of every local layer's output.
        layer: l, on whose output it stands, counted from 1.
        hidden: D_l, the layers that it copies; fewer where fewer remain.
        selection: Which, see :func:`auglocal_mm.local.depth.select_layers`.
        rounding: Of layer numbers that fall half-way.
        downsampling: ``'stride'`` of copied layers, or ``'max_pool'`` where the width changes, as released for VGG.

    Raises:
        InputError: A key is out of range.
    """
    if downsampling not in DOWNSAMPLINGS:
        raise InputError(f'the downsampling {downsampling!r} is unknown; choose one of {", ".join(DOWNSAMPLINGS)}')
    sources = select_layers(layer, len(shapes), hidden, selection, rounding)
    own, copied = shapes[layer - 1], [shapes[source - 1] for source in sources]
    widths, pool = [own.channels, *(shape.channels for shape in copied)], downsampling == 'max_pool'
    if pool:
        strides = widening_strides(own.channels, widths[1:])
    else:
        strides = downsampling_strides(own.side, [shape.side for shape in copied])
    layers = zip(sources, widths, strides, strict=False)
    return HeadBlueprint(tuple(CopiedLayer(*each, pool) for each in layers), widths[-1])
