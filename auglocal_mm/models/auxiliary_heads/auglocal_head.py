"""AugLocal's auxiliary network: copies of the structure of a few later layers of the primary network."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.blueprint import head_blueprint
from auglocal_mm.local.depth import pyramid_depths
from auglocal_mm.local.module import images_read
from auglocal_mm.local.recompute import join_segments, resolve_segments
from auglocal_mm.local.shapes import FeatureShape
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class AugLocalHead(AuxiliaryHead):
    """Copied local layers, global average pooling and a linear classifier (section 3.2 of arXiv 2402.17318).

    Args:
        placement: The place of the head in the network; the model fills it in.
        depth: d, the trainable layers including the linear classifier, 2 or more; d - 1 local layers are copied. A list
            gives each head its own depth.
        pyramid: r of equation 3, from 0 (all heads equally deep) to 1 (the last one with a single copied layer).
        selection: Which layers are copied: ``'uniform'``, ``'sequential'`` or ``'repetitive'``.
        rounding: Of layer indices that fall half-way: ``'half_even'`` (as released) or ``'half_up'``.
        downsampling: ``'stride'`` in copied layers, or ``'max_pool'`` where the width changes, as released for VGG.
        classifier: Config of the classifier after the copied layers; by default ``LinearHead`` for maps, ``ClassTokenHead`` for
            tokens.
        shallow_norm: Whether to insert a BatchNorm before the classifier if only one layer is copied, as released for
            small images.
        loss_weights: As for :class:`AuxiliaryHead`.
        checkpointed: Copied layers, named from ``'1'``, that are recomputed in backward: for each head a list of names and
            pairs as in :class:`auglocal_mm.models.ImageClassifier`; or ``'all'`` or ``'norms'`` for all heads.
        width: Channels of the copied layers relative to the local layers that they copy, above 0 and at most 1.
        pooling: Factor by which maps are average-pooled before the first copied layer. With 2, all copied layers have half as
            many positions in each direction, and a quarter of the compute. If the side of the maps is not a multiple of it, the
            last windows are smaller.
        batch_share: Share of the images of a batch that the head and its loss read: the first ones, rounded up. The local
            layers run on the whole batch, since later modules need its features. Gradients are exactly those of this loss,
            so backward through the local layers takes the whole batch too: each image counts in the batch statistics
            through which the others are normalised. The norms of the head take their statistics from its part.

    Raises:
        InputError: A key is out of range.
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
        width: float = 1.0,
        pooling: int = 1,
        batch_share: float = 1.0,
    ) -> None:
        super().__init__(placement, loss_weights)
        self.batch_share = _checked_share(batch_share)
        own_depth = _own_depth(depth, placement)
        hidden = pyramid_depths(own_depth - 1, placement.num_modules, pyramid, rounding)[placement.module]
        blueprint = head_blueprint(
            placement.shapes, placement.layer, hidden, selection, rounding, downsampling, width, pooling
        )
        self.selected = [layer.source for layer in blueprint.layers]
        modules = [layer.module for layer in placement.layers]
        self.layers = nn.Sequential(*(layer.build(modules) for layer in blueprint.layers))
        if checkpointed and not isinstance(checkpointed, str):
            checkpointed = _of_head('checkpointed', checkpointed, placement)
        names = [str(index) for index, _ in enumerate(self.layers, start=1)]
        self._chain = join_segments(list(self.layers), resolve_segments(names, checkpointed))
        head = classifier_settings(classifier, placement.shape)
        if shallow_norm and len(blueprint.layers) == 1:
            head['norm'] = True
        sizes = {'in_channels': blueprint.channels, 'num_classes': placement.num_classes}
        self.classifier = MODELS.build({**head, **sizes})

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output, maps (N, C, H, W) or tokens (N, T, C)."""
        for layer in self._chain:
            features = layer(features)
        return self.classifier(features)

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """As of :class:`AuxiliaryHead`, on the head's share of the batch."""
        if self.batch_share < 1:
            images = images_read(self.batch_share, len(state.features))
            state, targets = state.first(images), targets.first(images)
        return super().loss(state, targets)


def classifier_settings(given: Mapping[str, Any] | None, shape: FeatureShape) -> dict[str, Any]:
    """The config of a head's classifier, from what its config says and the shape of the head's input features."""
    return {'type': 'LinearHead' if len(shape.positions) > 1 else 'ClassTokenHead', **(given or {})}


def _checked_share(share: Any) -> float:
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise InputError(
            f'auxiliary_heads.batch_share is {share!r}; expected a number above 0, and at most 1 (the whole batch)'
        )
    return share


def _own_depth(depth: Any, placement: Placement) -> int:
    """The depth of this head, checked."""
    own = _of_head('depth', depth, placement) if isinstance(depth, list | tuple) else depth
    if not isinstance(own, int) or not 2 <= own <= len(placement.layers):
        raise InputError(
            f'auxiliary_heads.depth is {own!r}; expected an integer from 2 (one copied layer and the classifier) to '
            f'{len(placement.layers)}, the number of local layers'
        )
    return own


def _of_head(key: str, values: Sequence[Any], placement: Placement) -> Any:
    """The value for this head of a key that has one value per head."""
    if len(values) != placement.num_modules - 1:
        raise InputError(
            f'auxiliary_heads.{key} has {len(values)} values, but there are {placement.num_modules - 1} heads; give one per '
            'local module except the last'
        )
    return values[placement.module]
