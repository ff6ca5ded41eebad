"""The state that crosses a module boundary, and the targets of a loss. Plain PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class State:
    """A batch on its way through the network.

    Attributes:
        features: Output of the latest local layer: maps (N, C, H, W), tokens (N, T, C), or the network's input.
        taps: Outputs of earlier local layers that a later head reads, by name, as a feature pyramid reads C2 to C5.
    """

    features: Tensor
    taps: Mapping[str, Tensor] = field(default_factory=dict)

    def detach(self) -> 'State':
        """The same tensors without a graph, as the next local module takes them."""
        return State(self.features.detach(), {name: tap.detach() for name, tap in self.taps.items()})

    def first(self, images: int) -> 'State':
        """The same of the first images of the batch alone."""
        return State(self.features[:images], {name: tap[:images] for name, tap in self.taps.items()})

    def tensors(self) -> list[Tensor]:
        """The features, then the taps in insertion order, as they are sent to another process."""
        return [self.features, *self.taps.values()]

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor], names: Sequence[str]) -> 'State':
        """The inverse of :meth:`tensors`.

        Args:
            tensors: The features and one tensor for each tap.
            names: Names of the taps, in the same order.
        """
        features, *taps = tensors
        return cls(features, dict(zip(names, taps, strict=True)))


@dataclass(frozen=True)
class Targets:
    """The targets of a head's loss.

    Attributes:
        labels: (N,) class indices, or other targets that the heads' losses take.
        images: The network's input, normalised, (N, 3, H, W); ``None`` if no head reads them.
    """

    labels: Any
    images: Tensor | None = None

    def first(self, images: int) -> 'Targets':
        """The same of the first images of the batch alone."""
        return Targets(self.labels[:images], None if self.images is None else self.images[:images])
