"""A plan for training one network: its local modules, with the memory and compute of each."""

from dataclasses import dataclass

from auglocal_mm.local.recompute import Segment

AUGLOCAL = 'AugLocalHead'
"""The heads that have a depth, and are planned by default."""


@dataclass(frozen=True)
class PlannedModule:
    """One local module of a plan.

    Attributes:
        first: Index of its first local layer.
        last: Index of its last local layer.
        depth: Depth d of its head; 0 for the last module, which has the primary classifier.
        layer_segments: Checkpoint segments of its local layers, by their indices in the network.
        head_segments: Checkpoint segments of its head's layers.
        compute: Cost of forward and backward for one image, in FLOPs or nanoseconds.
        activations: Peak activation memory in bytes, for one image.
        parameters: Number of parameters of its layers and its head.
        head_parameters: Number of parameters of its head.
    """

    first: int
    last: int
    depth: int
    layer_segments: tuple[Segment, ...]
    head_segments: tuple[Segment, ...]
    compute: int
    activations: float
    parameters: int
    head_parameters: int


@dataclass(frozen=True)
class Plan:
    """A plan for training one network; a single module is backpropagation.

    Attributes:
        modules: From the input on.
        kind: Class of their heads.
    """

    modules: tuple[PlannedModule, ...]
    kind: str = AUGLOCAL

    @property
    def compute(self) -> int:
        """Cost of one training step for one image, in FLOPs or nanoseconds."""
        return sum(module.compute for module in self.modules)

    @property
    def activations(self) -> float:
        """Peak activation memory in bytes, for one image."""
        return max(module.activations for module in self.modules)

    @property
    def head_parameters(self) -> int:
        """Number of parameters of all auxiliary networks."""
        return sum(module.head_parameters for module in self.modules[:-1])
