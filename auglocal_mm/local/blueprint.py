"""AugLocal's auxiliary network as data: which layers it copies, how wide, and with which strides. Plain PyTorch."""

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
    """One hidden layer, with the structure of a local layer.

    Attributes:
        source: Index of the local layer, from 1.
        in_channels: Channels of its input.
        stride: Its down-sampling factor.
        pool: Whether it down-samples by max-pooling its input instead.
    """

    source: int
    in_channels: int
    stride: int
    pool: bool = False

    def build(self, modules: Sequence[nn.Module]) -> nn.Module:
        """The layer with fresh weights; ``modules`` are the modules of all local layers."""
        return copy_layer(modules[self.source - 1], self.in_channels, self.stride, self.pool)


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
) -> HeadBlueprint:
    """The auxiliary network with ``hidden`` layers after a local layer (section 3.2).

    Args:
        shapes: Shape of every local layer's output.
        layer: l, index of the local layer whose output it takes, from 1.
        hidden: D_l, the number of layers to copy; fewer if fewer remain.
        selection: Which layers, see :func:`auglocal_mm.local.depth.select_layers`.
        rounding: Of layer indices that fall half-way.
        downsampling: ``'stride'`` in copied layers, or ``'max_pool'`` where the width changes, as released for VGG.

    Raises:
        InputError: A key is out of range.
    """
    if downsampling not in DOWNSAMPLINGS:
        raise InputError(f'downsampling is {downsampling!r}; expected one of {", ".join(DOWNSAMPLINGS)}')
    sources = select_layers(layer, len(shapes), hidden, selection, rounding)
    own, copied = shapes[layer - 1], [shapes[source - 1] for source in sources]
    widths, pool = [own.channels, *(shape.channels for shape in copied)], downsampling == 'max_pool'
    if pool:
        strides = widening_strides(own.channels, widths[1:])
    else:
        strides = downsampling_strides(own.side, [shape.side for shape in copied])
    layers = zip(sources, widths, strides, strict=False)
    return HeadBlueprint(tuple(CopiedLayer(*each, pool) for each in layers), widths[-1])
