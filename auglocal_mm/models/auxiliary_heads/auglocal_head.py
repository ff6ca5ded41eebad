"""AugLocal's auxiliary network: a few later layers of the primary network, copied in structure."""

from torch import Tensor, nn

from auglocal_mm.auxiliary_depth import downsampling_strides, pyramid_depths, select_layers
from auglocal_mm.errors import InputError
from auglocal_mm.layer_copy import base_width, copy_layer, layer_width
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.models.heads import LinearHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class AugLocalHead(AuxiliaryHead):
    """Copied local layers, global average pooling and a linear classifier (section 3.2 of arXiv 2402.17318).

    Args:
        placement: Where the head stands; the model fills it in.
        depth: d, the trainable layers with the linear classifier, 2 or more; d - 1 local layers are copied.
        pyramid: r of equation 3, from 0 (every head equally deep) to 1 (the last one as shallow as can be).
        selection: Which layers are copied: ``'uniform'``, ``'sequential'`` or ``'repetitive'``.
        rounding: Of layer numbers that fall half-way: ``'half_even'`` (as released) or ``'half_up'``.

    Raises:
        InputError: A key out of range.
    """

    def __init__(
        self,
        placement: Placement,
        depth: int,
        pyramid: float = 0.0,
        selection: str = 'uniform',
        rounding: str = 'half_even',
    ) -> None:
        super().__init__()
        if depth < 2 or depth > len(placement.layers):
            raise InputError(
                f'auxiliary_heads.depth is {depth}; expected 2 (one copied layer and the classifier) to '
                f'{len(placement.layers)}, the number of local layers'
            )
        hidden = pyramid_depths(depth - 1, placement.num_modules, pyramid, rounding)[placement.module]
        self.selected = select_layers(placement.layer, len(placement.layers), hidden, selection, rounding)
        sources = [placement.layers[number - 1].module for number in self.selected]
        widths = [placement.width, *map(layer_width, sources)]
        strides = downsampling_strides(base_width(placement.source), [base_width(source) for source in sources])
        self.layers = nn.Sequential(*map(copy_layer, sources, widths, strides))
        self.classifier = LinearHead(widths[-1], placement.num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        return self.classifier(self.layers(features))
