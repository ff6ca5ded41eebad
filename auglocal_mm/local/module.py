"""Local layers, and the local modules into which they are joined. Plain PyTorch.

A *local layer* is the smallest unit that can have a loss of its own (a ResNet's stem, one residual block); a *local
module* is one or more consecutive local layers that learn from one loss.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from auglocal_mm.local.recompute import Segment, join_segments, segments_within
from auglocal_mm.local.state import State, Targets


class Head(nn.Module, ABC):
    """What trains a local module: the primary network's own head, or an auxiliary network.

    Attributes:
        taps: Names of the taps that the loss reads besides the features.
    """

    taps: ClassVar[Sequence[str]] = ()

    def logits(self, state: State) -> Tensor:
        """The prediction (N, classes) from the state behind the local module."""
        return self(state.features)

    @abstractmethod
    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """``'loss'``, the scalar to minimise, and detached diagnostics, of the state behind the local module."""


class LocalLayer(nn.Module):
    """One link of the chain.

    It belongs to the backbone, where its parameters have their names; this is a view of it.

    Args:
        name: In tables, logs and configs.
        module: Takes features, gives features.
        tap: Name under which the output stays in the state for a later head.
    """

    def __init__(self, name: str, module: nn.Module, tap: str | None = None) -> None:
        super().__init__()
        self.name, self.module, self.tap = name, module, tap

    def forward(self, state: State) -> State:
        """The state behind this layer."""
        features = self.module(state.features)
        return State(features, state.taps if self.tap is None else {**state.taps, self.tap: features})


class LocalModule(nn.Module):
    """Consecutive local layers and the head that trains them; a view of parts that belong to the model.

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
        """The state behind the module's last layer."""
        return self.layers(state)

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """What the head makes of the state behind the module: ``'loss'`` and diagnostics."""
        return self.head.loss(state, targets)


def local_modules(
    layers: Sequence[LocalLayer], cuts: Sequence[int], heads: Sequence[Head], segments: Sequence[Segment] = ()
) -> list[LocalModule]:
    """Joins the local layers between module boundaries, with one head each.

    Args:
        layers: All local layers.
        cuts: As :func:`auglocal_mm.local.partition.resolve_cuts` returns them, K - 1 numbers.
        heads: K heads; the last one is the primary network's own.
        segments: Layers that are recomputed in backward, by their index in ``layers``.

    Raises:
        InputError: A segment crosses a module boundary.
    """
    return [
        LocalModule(layers[first:last], head, segments_within(segments, first, last - 1))
        for first, last, head in zip([0, *cuts], [*cuts, len(layers)], heads, strict=True)
    ]
