"""The costs of training one layer, measured on fake tensors: saved bytes by storage, FLOPs, parameters."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.local.module import Head
from auglocal_mm.local.recompute import COSTLY
from auglocal_mm.local.state import State
from auglocal_mm.planning.costs.activation_meter import ActivationMeter, storage_of

BATCHES = (2, 4)
"""Batch sizes of the two measurements, which differ by two; a BatchNorm on vectors refuses a single image."""
Taps: TypeAlias = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shapes, without the batch dimension, and dtypes of the taps that a head reads."""


@dataclass(frozen=True)
class LayerCost:
    """One layer on one input, for one image.

    What its passes cost is counted in FLOPs (a multiply-add is two), or timed in nanoseconds.

    Attributes:
        internal: Bytes that backward needs besides the layer's input and output.
        convolved: The part of ``internal`` that its convolutions and linear layers output.
        output: Bytes of the output.
        peak: Peak memory of the forward pass in bytes, temporaries included, without the input.
        forward: Cost of the forward pass.
        backward: Cost of the backward pass.
        backward_without_input: The same if the input needs no gradient, as at the start of a local module.
        parameters: Number of parameters.
        output_shape: Shape of the output, without the batch dimension.
        output_dtype: Dtype of the output.
        tapped: Whether a later head reads the output.
        norms: Cost of recomputing everything but ``convolved``, which takes no FLOPs but time.
    """

    internal: float
    convolved: float
    output: float
    peak: float
    forward: int
    backward: int
    backward_without_input: int
    parameters: int
    output_shape: tuple[int, ...]
    output_dtype: torch.dtype = torch.float32
    tapped: bool = False
    norms: int = 0

    def of_share(self, share: float) -> 'LayerCost':
        """The cost for one image of the batch if the layer runs on this share of them."""
        if share == 1:
            return self
        memory = {name: share * getattr(self, name) for name in ('internal', 'convolved', 'output', 'peak')}
        flops = {name: round(share * getattr(self, name)) for name in ('forward', 'backward', 'backward_without_input')}
        return replace(self, **memory, **flops)


class Logits(nn.Module):
    """A head as a layer that takes a :class:`State`, for heads that read taps.

    Args:
        head: The head that predicts.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, state: State) -> Tensor:
        """Logits (N, classes)."""
        return self.head.logits(state)


class LayerMeter:
    """Measures layers, each structure once for each input shape.

    Args:
        amp: Whether forward runs in bfloat16 autocast.
    """

    def __init__(self, amp: bool = False) -> None:
        self.amp = amp
        self._known: dict[Any, LayerCost] = {}

    def measure(
        self,
        key: Hashable,
        build: Callable[[], nn.Module],
        shape: tuple[int, ...],
        dtype: torch.dtype = torch.float32,
        taps: Taps | None = None,
    ) -> LayerCost:
        """The cost of the layer that ``build`` returns.

        Args:
            key: Identifies the structure; a layer with the same key and input is not built again.
            build: Builds the layer, or returns an existing one.
            shape: Shape of the input, without the batch dimension.
            dtype: Dtype of the input.
            taps: Shapes and dtypes of the taps that a head also reads; its layer then takes a :class:`State`.
        """
        known = (key, shape, dtype, tuple((taps or {}).items()))
        if known not in self._known:
            self._known[known] = self._measure(build().train(), shape, dtype, taps)
        return self._known[known]

    def _measure(self, layer: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, taps: Taps | None) -> LayerCost:
        # What does not grow with the batch, such as autocast's copies of the weights, cancels out.
        fewer, more = BATCHES
        few, gradients, outputs = self._measure_batch(layer, (fewer, *shape), dtype, taps)
        many, _, _ = self._measure_batch(layer, (more, *shape), dtype, taps, backward=False)
        internal, convolved, output, peak, forward = ((b - a) / 2 for a, b in zip(few, many, strict=True))
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        backward, alone = (flops // fewer for flops in gradients)  # every gradient has a dimension of the batch
        return LayerCost(
            internal,
            convolved,
            output,
            peak,
            int(forward),
            backward,
            alone,
            parameters,
            tuple(outputs.shape[1:]),
            outputs.dtype,
        )

    def _measure_batch(
        self, layer: nn.Module, shape: tuple[int, ...], dtype: torch.dtype, taps: Taps | None, backward: bool = True
    ) -> tuple[list[int], list[int], Tensor]:
        """For a batch: the first fields of a :class:`LayerCost` to ``forward``, those of ``backward``, and the output."""
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            inputs = torch.empty(shape, dtype=dtype, requires_grad=True)
            read = (
                {
                    name: torch.empty((shape[0], *size), dtype=kind, requires_grad=True)
                    for name, (size, kind) in taps.items()
                }
                if taps is not None
                else None
            )
            own: dict[str, Tensor] = {}
            for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
                own[name] = mode.from_tensor(tensor)
            known = {storage_of(tensor) for tensor in own.values()}
            saved: dict[int, int] = {}

            def pack(tensor: Tensor) -> Tensor:
                saved[storage_of(tensor)] = tensor.untyped_storage().nbytes()
                return tensor

            counter, meter, costly = FlopCounterMode(display=False), ActivationMeter(), _CostlyResults()
            with saved_tensors_hooks(pack, lambda tensor: tensor), counter, meter, costly:
                outputs = self._forward(layer, own, inputs, read)
            trainable = [tensor for tensor in own.values() if tensor.requires_grad]
            leaves = [[inputs, *(read or {}).values(), *trainable], trainable] if backward else []
            gradients = [_backward(outputs, each) for each in leaves]
            known |= {storage_of(tensor) for tensor in (inputs, outputs, *(read or {}).values())}
            internal = sum(size for storage, size in saved.items() if storage not in known)
            output = outputs.untyped_storage().nbytes()
            convolved = sum(size for storage, size in costly.sizes.items() if storage not in known)
            memory = [internal, convolved, output, max(meter.peak, internal + output)]
            return [*memory, counter.get_total_flops()], gradients, outputs

    def _forward(
        self, layer: nn.Module, own: dict[str, Tensor], inputs: Tensor, read: dict[str, Tensor] | None
    ) -> Tensor:
        features = inputs.view_as(inputs)  # a layer that works in place must not get a leaf
        with torch.autocast('cpu', torch.bfloat16, enabled=self.amp):
            return functional_call(layer, own, (features if read is None else State(features, read),))


class _CostlyResults(TorchDispatchMode):
    """Records the outputs of convolutions and linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Tensor] = []  # kept alive, so that no storage is reused

    @property
    def sizes(self) -> dict[int, int]:
        return {storage_of(result): result.untyped_storage().nbytes() for result in self.results}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in COSTLY:
            self.results.append(result)
        return result


def _backward(outputs: Tensor, leaves: list[Tensor]) -> int:
    """FLOPs of the gradients of ``leaves``; the graph is kept."""
    if not leaves:
        return 0
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(outputs, leaves, torch.empty_like(outputs), retain_graph=True, allow_unused=True)
    return counter.get_total_flops()
