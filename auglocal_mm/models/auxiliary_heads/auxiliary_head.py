"""The base of all auxiliary heads, and the placement of a head in the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalLayer
from auglocal_mm.local.shapes import FeatureShape
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models.heads import ClassificationHead


@dataclass(frozen=True)
class Placement:
    """The place of one auxiliary head on the primary network.

    Attributes:
        layers: All L local layers of the primary network, whose structure can be copied.
        shapes: Shape of every local layer's output.
        layer: l, index of the local layer whose output the head takes, from 1.
        module: m, the index of the head's local module.
        num_modules: K, including the last module, which has no auxiliary head.
        num_classes: Classes of the primary classifier.
        mean: Of each channel of the images, subtracted by the preprocessor, in the range 0 to 255.
        std: Of each channel, by which the preprocessor divides.
    """

    layers: Sequence[LocalLayer]
    shapes: Sequence[FeatureShape]
    layer: int
    module: int
    num_modules: int
    num_classes: int
    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (255.0, 255.0, 255.0)

    @property
    def shape(self) -> FeatureShape:
        """Shape of the head's input features."""
        return self.shapes[self.layer - 1]

    @property
    def map_size(self) -> tuple[int, int, int]:
        """(C, H, W) of the head's input maps.

        Raises:
            InputError: They are not maps.
        """
        if len(self.shape.size) != 3 or self.shape.channel_dim != 0:
            raise InputError(
                f'the auxiliary head of local layer {self.layers[self.layer - 1].name} needs maps (N, C, H, W), but gets '
                f'features of shape (N, {", ".join(map(str, self.shape.size))}); use AugLocalHead, which copies layers of '
                'any shape'
            )
        channels, height, width = self.shape.size
        return channels, height, width

    def between(self, first: float, last: float) -> float:
        """Linear interpolation from ``first`` at the first auxiliary head to ``last`` at the last one."""
        return first + (last - first) * self.module / max(self.num_modules - 2, 1)


class AuxiliaryHead(ClassificationHead):
    """Base of all auxiliary heads. Convolutions start from Kaiming's normal (fan-out, ReLU), norms from 1 and 0.

    Each local learning method is a subclass: its constructor takes a :class:`Placement` and the keys of its config,
    ``forward`` returns logits. A method with losses besides cross-entropy lists them in ``terms`` and computes them in
    :meth:`extra_losses`.

    Args:
        placement: The place of the head in the network; the model fills it in.
        loss_weights: Weight of each term by name, 1 by default: one number, or two for linear interpolation from the
            first module to the last.

    Raises:
        InputError: The method has no such term, or a weight is neither one number nor two.
    """

    terms: ClassVar[tuple[str, ...]] = ('cross_entropy',)

    def __init__(self, placement: Placement, loss_weights: Mapping[str, float | Sequence[float]] | None = None) -> None:
        super().__init__(
            init_cfg=[
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
            ]
        )
        given = {} if loss_weights is None else loss_weights
        unknown = set(given) - set(self.terms) if isinstance(given, Mapping) else {repr(given)}
        if unknown:
            raise InputError(
                f'loss_weights of {type(self).__name__} has {", ".join(sorted(unknown))}; expected some of '
                f'{", ".join(self.terms)}'
            )
        self.weights = {term: _weight(placement, term, given.get(term, 1.0)) for term in self.terms}

    def extra_losses(self, features: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The scalar terms besides cross-entropy, from the local module's output (N, C, H, W) and the targets."""
        return {}

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """The weighted sum of all terms, and diagnostics; arguments as for :class:`ClassificationHead`.

        Returns:
            ``'loss'``, a scalar with gradient, and ``'accuracy'``, the detached top-1 accuracy in percent.
        """
        results = super().loss(state, targets)
        loss = self.weights['cross_entropy'] * results['loss']
        for term, value in self.extra_losses(state.features, targets).items():
            loss = loss + self.weights[term] * value
        return {**results, 'loss': loss}


def _weight(placement: Placement, term: str, value: Any) -> float:
    ends = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(ends) != 2 or not all(isinstance(end, int | float) and end >= 0 for end in ends):
        raise InputError(
            f'loss_weights.{term} is {value!r}; expected one number of at least 0, or two: the weights of the first module '
            'and of the last'
        )
    return placement.between(*ends)
