"""How to train one network: its local modules, and what each holds and computes."""

from dataclasses import dataclass

from auglocal_mm.local.recompute import Segment


@dataclass(frozen=True)
class PlannedModule:
    """One local module of a plan.

    Attributes:
        first: Its first local layer, counted from 0.
        last: Its last local layer.
        depth: d of its head; 0 for the last module, which has the primary classifier.
        layer_segments: Runs of its local layers that are recomputed; layers are those of the network.
        head_segments: Runs of its head's layers that are.
        compute: FLOPs of forward and backward, for one image.
        activations: Bytes that it holds at most, for one image.
        parameters: Of its layers and its head.
        head_parameters: Of its head.
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
    """How to train one network; a single module is backpropagation."""

    modules: tuple[PlannedModule, ...]

    @property
    def compute(self) -> int:
        """FLOPs of one training step, for one image."""
        return sum(module.compute for module in self.modules)

    @property
    def activations(self) -> float:
        """Bytes held at most, for one image."""
        return max(module.activations for module in self.modules)

    @property
    def head_parameters(self) -> int:
        """Parameters of all auxiliary networks."""
        return sum(module.head_parameters for module in self.modules[:-1])
