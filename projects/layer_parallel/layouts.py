"""What each device of a layout computes and sends, from the measured times, and where the network is cut."""

from collections.abc import Callable
from typing import NamedTuple

from module_seconds import Network, Part
from simulation import Stage

from auglocal_mm.runtime.split import best_cuts

FLOAT = 4  # bytes
SCHEMES = ('layer by layer', 'coarse', 'BP')
"""Every local layer a module; every stage a single module; no module boundary at all."""


class _Work(NamedTuple):
    """Consecutive layers with or without a head, in seconds for an image."""

    forward: float
    backward: float
    parameters: int


class Cuts:
    """The stages that a network can be cut into, for one image.

    Args:
        network: Its measured parts.
        scheme: One of :data:`SCHEMES`.
        heads: Kind of the auxiliary heads; unused by backpropagation.
    """

    def __init__(self, network: Network, scheme: str, heads: str = '') -> None:
        self.layers, self.scheme = network.layers, scheme
        auxiliary = network.heads[heads] if heads else [None] * (len(self.layers) - 1)
        self.heads: list[Part | None] = [*auxiliary, network.classifier]
        self.modules = [self._work(index, index) for index in range(len(self.layers))]

    def stage(self, first: int, last: int) -> Stage:
        """The stage of these local layers, by index."""
        works = self.modules[first : last + 1] if self.scheme == 'layer by layer' else [self._work(first, last)]
        before = sum(work.forward + work.backward for work in works[:-1]) + works[-1].forward
        output = self.layers[last].output if last + 1 < len(self.layers) else 0
        return Stage(before, works[-1].backward, output, FLOAT * sum(work.parameters for work in works))

    def _work(self, first: int, last: int) -> _Work:
        layers, whole = self.layers[first : last + 1], last + 1 == len(self.layers)
        head = self.heads[last] if self.scheme != 'BP' or whole else None
        parts = [*layers, *([head] if head else [])]
        # Under backpropagation only the first layer's input, the images, needs no gradient.
        alone = self.scheme != 'BP' or first == 0
        return _Work(
            sum(part.forward for part in parts),
            sum(part.backward for part in parts) + (layers[0].start_backward - layers[0].backward if alone else 0.0),
            sum(part.parameters for part in parts),
        )

    def whole(self) -> Stage:
        """Everything on one device; with coarse modules, a single one."""
        return self.stage(0, len(self.layers) - 1)

    def best(self, most: int, seconds: Callable[[Stage], float]) -> dict[int, list[Stage]]:
        """For each number of stages from 2 to ``most``, the cut whose slowest stage or link is as fast as possible.

        Args:
            most: Number of stages; no more than there are layers are used.
            seconds: The time of a stage or of its link, the longer one.
        """
        count = len(self.layers)
        stages = {(first, last): self.stage(first, last) for last in range(count) for first in range(last + 1)}
        costs = {edges: seconds(stage) for edges, stage in stages.items()}
        cuts = best_cuts(count, min(most, count), lambda first, last: costs[first, last])
        return {number: [stages[edges] for edges in cut] for number, cut in cuts.items() if number > 1}
