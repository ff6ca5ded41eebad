"""What an auxiliary head is told about the place where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from auglocal_mm.layer_copy import layer_width
from auglocal_mm.models.heads import ClassificationHead
from auglocal_mm.partition import LocalLayer


@dataclass(frozen=True)
class Placement:
    """The place of one auxiliary head on the primary network.

    Attributes:
        layers: All L local layers of the primary network; their structure may be copied.
        layer: l, the local layer on whose output the head stands, counted from 1.
        module: m, the number of the head's local module, counted from 0.
        num_modules: K, with the last module, which has no auxiliary head.
        num_classes: Classes of the primary classifier.
    """

    layers: Sequence[LocalLayer]
    layer: int
    module: int
    num_modules: int
    num_classes: int

    @property
    def source(self) -> nn.Module:
        """The local layer whose output the head gets."""
        return self.layers[self.layer - 1].module

    @property
    def width(self) -> int:
        """Channels of the feature maps that the head gets."""
        return layer_width(self.source)


class AuxiliaryHead(ClassificationHead):
    """Base of all auxiliary heads: convolutions start from Kaiming's normal (fan-out, ReLU), norms from 1 and 0.

    A local rule is one subclass whose constructor takes a :class:`Placement` and the keys of its config.
    """

    def __init__(self) -> None:
        super().__init__(
            init_cfg=[
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
            ]
        )
