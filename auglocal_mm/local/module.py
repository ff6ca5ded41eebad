"""Local layers, and the local modules that group them. Plain PyTorch.

A *local layer* is the smallest unit that can have a loss of its own (a ResNet's stem, one residual block); a *local
module* is one or more consecutive local layers that learn from one loss.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from torch import Tensor, nn

from auglocal_mm.local.recompute import Segment, join_segments, segments_within
from auglocal_mm.local.state import State, Targets


class Head(nn.Module, ABC):
    """The loss of a local module: the primary network's own head, or an auxiliary network.

    Attributes:
        taps: Names of the taps that the loss reads besides the features.
        reads_images: Whether the loss reads ``Targets.images``.
        looks_ahead: Whether the loss reads the parameters of the next local module.
        batch_share: Share of the images of a batch that the loss reads.
    """

    taps: ClassVar[Sequence[str]] = ()
    reads_images: bool = False
    looks_ahead: ClassVar[bool] = False
    batch_share: float = 1.0

    def logits(self, state: State) -> Tensor:
        """The prediction (N, classes) from the state after the local module."""
        return self(state.features)

    @abstractmethod
    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """``'loss'``, the scalar to minimise, and detached diagnostics, from the state after the local module."""


def images_read(share: float, images: int) -> int:
    """How many of a batch a share is, rounded up."""
    return math.ceil(share * images)


def fewest_images(shares: Iterable[float]) -> int:
    """The fewest images of which each share, rounded up, is at least two: a BatchNorm on vectors refuses a single image.

    Args:
        shares: Such as each head's ``batch_share``, above 0 and at most 1.
    """
    return math.floor(1 / min(shares, default=1.0)) + 1


class LocalLayer(nn.Module):
    """One layer of the chain: a view of a part of the backbone, which owns the parameters.

    Args:
        name: Its name in tables, logs and configs.
        module: Maps features to features.
        tap: Name under which the output is kept in the state for a later head.
    """

    def __init__(self, name: str, module: nn.Module, tap: str | None = None) -> None:
        super().__init__()
        self.name, self.module, self.tap = name, module, tap

    def forward(self, state: State) -> State:
        """The state after this layer."""
        features = self.module(state.features)
        return State(features, state.taps if self.tap is None else {**state.taps, self.tap: features})


class LocalModule(nn.Module):
    """Consecutive local layers and the head that trains them: a view of parts that the model owns.

    Args:
        layers: In running order.
        head: Its loss trains the layers and itself.
        segments: Layers whose activations are recomputed in backward, by their index in ``layers``.
    """

    head: Head

    def __init__(self, layers: Sequence[LocalLayer], head: Head, segments: Sequence[Segment] = ()) -> None:
        super().__init__()
        self.name = layers[0].name if len(layers) == 1 else f'{layers[0].name}-{layers[-1].name}'
        self.layers = nn.Sequential(*join_segments(layers, segments))
        self.head = head

    def forward(self, state: State) -> State:
        """The state after the module's last layer."""
        return self.layers(state)

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """The head's ``'loss'`` and diagnostics for the state after the module."""
        return self.head.loss(state, targets)


def local_modules(
    layers: Sequence[LocalLayer], split_points: Sequence[int], heads: Sequence[Head], segments: Sequence[Segment] = ()
) -> list[LocalModule]:
    """The local modules: the local layers between module boundaries, with one head each.

    Args:
        layers: All local layers.
        split_points: K - 1 integers, as :func:`auglocal_mm.local.partition.resolve_split_points` returns them.
        heads: K heads; the last one is the primary network's own.
        segments: Layers that are recomputed in backward, by their index in ``layers``.

    Raises:
        InputError: A segment crosses a module boundary.
    """
    names = [layer.name for layer in layers]
    return [
        LocalModule(layers[first:last], head, segments_within(segments, names, first, last - 1))
        for first, last, head in zip([0, *split_points], [*split_points, len(layers)], heads, strict=True)
    ]
