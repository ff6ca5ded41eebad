"""AugLocal's auxiliary network: a few later layers of the primary network, copied in structure."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from auglocal_mm.auxiliary_depth import downsampling_strides, pyramid_depths, select_layers, widening_strides
from auglocal_mm.checkpointing import apply_runs, resolve_runs
from auglocal_mm.errors import InputError
from auglocal_mm.layer_copy import copy_layer
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS

DOWNSAMPLINGS = ('stride', 'max_pool')


@MODELS.register_module()
class AugLocalHead(AuxiliaryHead):
    """Copied local layers, global average pooling and a linear classifier (section 3.2 of arXiv 2402.17318).

    Args:
        placement: Where the head stands; the model fills it in.
        depth: d, the trainable layers with the linear classifier, 2 or more; d - 1 local layers are copied. A list gives
            each head its own.
        pyramid: r of equation 3, from 0 (every head equally deep) to 1 (the last one as shallow as can be).
        selection: Which layers are copied: ``'uniform'``, ``'sequential'`` or ``'repetitive'``.
        rounding: Of layer numbers that fall half-way: ``'half_even'`` (as released) or ``'half_up'``.
        downsampling: ``'stride'`` of copied layers, or ``'max_pool'`` where the width changes, as released for VGG.
        classifier: Config of what follows the copied layers.
        shallow_norm: BatchNorm in front of the classifier where only one layer is copied, as released for small images.
        loss_weights: As for :class:`AuxiliaryHead`.
        checkpointed: Copied layers, counted from ``'1'``, that are computed again in backward: for each head a list of
            them and of pairs, as in :class:`auglocal_mm.models.ImageClassifier`, or ``'all'``.

    Raises:
        InputError: A key out of range.
    """

    def __init__(
        self,
        placement: Placement,
        depth: int | Sequence[int],
        pyramid: float = 0.0,
        selection: str = 'uniform',
        rounding: str = 'half_even',
        downsampling: str = 'stride',
        classifier: Mapping[str, Any] | None = None,
        shallow_norm: bool = False,
        loss_weights: Mapping[str, float | Sequence[float]] | None = None,
        checkpointed: Sequence[Any] | str = (),
    ) -> None:
        super().__init__(placement, loss_weights)
        own_depth = _own_depth(depth, placement)
        if downsampling not in DOWNSAMPLINGS:
            raise InputError(f'the downsampling {downsampling!r} is unknown; choose one of {", ".join(DOWNSAMPLINGS)}')
        hidden = pyramid_depths(own_depth - 1, placement.num_modules, pyramid, rounding)[placement.module]
        self.selected = select_layers(placement.layer, len(placement.layers), hidden, selection, rounding)
        shapes = [placement.shapes[number - 1] for number in self.selected]
        widths, pool = [channels for channels, *_ in shapes], downsampling == 'max_pool'
        if pool:
            strides = widening_strides(placement.shape[0], widths)
        else:
            strides = downsampling_strides(placement.shape[1], [side for _, side, _ in shapes])
        self.layers = nn.Sequential(
            *(
                copy_layer(placement.layers[number - 1].module, width, stride, pool)
                for number, width, stride in zip(self.selected, [placement.shape[0], *widths], strides, strict=False)
            )
        )
        if checkpointed and not isinstance(checkpointed, str):
            checkpointed = _of_head('checkpointed', checkpointed, placement)
        numbers = [str(number) for number, _ in enumerate(self.layers, start=1)]
        self._chain = apply_runs(list(self.layers), resolve_runs(numbers, checkpointed))
        self.norm = nn.BatchNorm1d(widths[-1]) if shallow_norm and len(widths) == 1 else None
        head = {'type': 'LinearHead', **(classifier or {})}
        # Behind the last local layer nothing is left to copy.
        width = [placement.shape[0], *widths][-1]
        self.classifier = MODELS.build({**head, 'in_channels': width, 'num_classes': placement.num_classes})

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        for layer in self._chain:
            features = layer(features)
        if self.norm is not None:
            features = self.norm(features.mean(dim=(2, 3)))[:, :, None, None]
        return self.classifier(features)


def _own_depth(depth: Any, placement: Placement) -> int:
    """This head's own depth, as an integer in range."""
    own = _of_head('depth', depth, placement) if isinstance(depth, list | tuple) else depth
    if not isinstance(own, int) or not 2 <= own <= len(placement.layers):
        raise InputError(
            f'auxiliary_heads.depth is {own!r}; expected a whole number from 2 (one copied layer and the classifier) to '
            f'{len(placement.layers)}, the number of local layers'
        )
    return own


def _of_head(key: str, values: Sequence[Any], placement: Placement) -> Any:
    """This head's own value of a key that gives one for each."""
    if len(values) != placement.num_modules - 1:
        raise InputError(
            f'auxiliary_heads.{key} has {len(values)} values, but there are {placement.num_modules - 1} heads; give one for '
            'each local module but the last'
        )
    return values[placement.module]
