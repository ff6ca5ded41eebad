"""Activation checkpointing of segments of consecutive layers: less memory for a second forward pass. Plain PyTorch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import State

T = TypeVar('T')
_WATCHED: WeakSet[nn.Module] = WeakSet()
"""Activations that have the hook :func:`_run_out_of_place`."""

COSTLY = [torch.ops.aten.convolution.default, torch.ops.aten.addmm.default, torch.ops.aten.mm.default]
"""Operations whose outputs selective checkpointing saves."""


class Segment(NamedTuple):
    """Consecutive layers that are recomputed together in backward.

    Attributes:
        first: Index of the first layer.
        last: Index of the last one.
        selective: Whether outputs of convolutions and linear layers are saved, so that only norms, activations and pooling
            are recomputed. A selective segment is a single layer.
    """

    first: int
    last: int
    selective: bool = False

    def shifted(self, by: int) -> 'Segment':
        """The same segment with both indices moved by ``by``."""
        return Segment(self.first + by, self.last + by, self.selective)


class Checkpointed(nn.Module):
    """Runs ``module`` and saves only its input; the rest is recomputed in backward.

    Gradients equal those without checkpointing, and the running statistics of BatchNorm are updated once.

    Args:
        module: Maps a tensor to a tensor, or a :class:`State` to a :class:`State`.
        selective: Whether outputs of convolutions and linear layers are saved too, which avoids most of the recomputation.
    """

    def __init__(self, module: nn.Module, selective: bool = False) -> None:
        super().__init__()
        self.module, self.selective = module, selective
        for activation in module.modules() if selective else ():
            if getattr(activation, 'inplace', False) and activation not in _WATCHED:
                activation.register_forward_pre_hook(_run_out_of_place)
                _WATCHED.add(activation)

    @torch.compiler.disable  # norms with frozen statistics in the second pass cannot be traced
    def forward(self, inputs: T) -> T:
        """The output of ``module``."""
        if not torch.is_grad_enabled():
            return self.module(inputs)
        if not isinstance(inputs, State):
            return self._checkpoint(self.module, inputs)
        # Pass the bare tensor: PyTorch takes the device of the random state from the arguments.
        state = self._checkpoint(lambda features: self.module(State(features)), inputs.features)
        return replace(inputs, features=state.features, taps={**inputs.taps, **state.taps})

    def _checkpoint(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        return checkpoint(function, inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        if not self.selective:
            return nullcontext(), _frozen_statistics(self.module)
        first, again = create_selective_checkpoint_contexts(COSTLY)
        return first, _frozen_statistics(self.module, again)


def resolve_segments(names: Sequence[str], checkpointed: Sequence[Any] | str) -> list[Segment]:
    """The segments given by a config.

    Args:
        names: All layers, in order.
        checkpointed: ``'all'`` for each layer by itself, ``'norms'`` for the norms, activations and pooling of each layer,
            or a list of names, of pairs ``['first', 'last']`` and of ``{'norms': name}``.

    Raises:
        InputError: A name is unknown, a segment is not a pair in order, or two segments overlap.
    """
    if checkpointed == 'norms':
        return [Segment(index, index, selective=True) for index in range(len(names))]
    if (isinstance(checkpointed, str) and checkpointed != 'all') or not isinstance(checkpointed, Sequence):
        raise InputError(
            f"checkpointed is {checkpointed!r}; expected 'all', 'norms', or a list of layers and of pairs [first, last]"
        )
    segments = sorted(_segment(names, entry) for entry in (names if checkpointed == 'all' else checkpointed))
    for before, after in pairwise(segments):
        if after.first <= before.last:
            raise InputError(f'checkpointed has the layer {names[after.first]} in two segments; name each layer once')
    return segments


def _segment(names: Sequence[str], entry: Any) -> Segment:
    selective = isinstance(entry, Mapping)
    if isinstance(entry, Mapping):
        if set(entry) != {'norms'}:
            raise InputError(f"checkpointed has {entry}; expected a name, a pair of names, or {{'norms': name}}")
        entry = entry['norms']
    ends = [entry, entry] if isinstance(entry, str | int) else list(entry)
    unknown = [end for end in ends if end not in names]
    if unknown:
        raise InputError(
            f"checkpointed has the unknown layer {unknown[0]!r}; expected 'all', 'norms' or some of {', '.join(names)}"
        )
    if len(ends) != 2 or (selective and ends[0] != ends[1]) or names.index(ends[0]) > names.index(ends[1]):
        raise InputError(f'checkpointed has the segment {ends}; expected a pair, the first layer and the last one')
    return Segment(names.index(ends[0]), names.index(ends[1]), selective)


def join_segments(modules: Sequence[nn.Module], segments: Sequence[Segment]) -> list[nn.Module]:
    """``modules`` with each segment replaced by one :class:`Checkpointed`."""
    joined: list[nn.Module] = []
    position = 0
    for segment in segments:
        part = modules[segment.first : segment.last + 1]
        module = part[0] if len(part) == 1 else nn.Sequential(*part)
        joined += [*modules[position : segment.first], Checkpointed(module, segment.selective)]
        position = segment.last + 1
    return [*joined, *modules[position:]]


def segments_within(segments: Sequence[Segment], names: Sequence[str], first: int, last: int) -> list[Segment]:
    """The segments within the layers ``first`` to ``last``, with indices relative to ``first``.

    Args:
        segments: Segments of the whole chain.
        names: All layers of the chain, for errors.
        first: Index of the first layer.
        last: Index of the last layer.

    Raises:
        InputError: A segment crosses a module boundary.
    """
    inside = [each for each in segments if each.first <= last and each.last >= first]
    for each in inside:
        if each.first < first or each.last > last:
            raise InputError(
                f'model.checkpointed has the segment {[names[each.first], names[each.last]]}, which crosses a module boundary; '
                'end it at the boundary'
            )
    return [each.shifted(-first) for each in inside]


def _run_out_of_place(activation: Any, inputs: tuple[Tensor]) -> None:
    """Keeps an activation right after a convolution, as in squeeze-and-excitation, from overwriting the saved output."""
    node = inputs[0].grad_fn
    if node is not None and node.name().startswith(('Convolution', 'Addmm', 'Mm')):
        activation.inplace = False


@contextmanager
def _frozen_statistics(module: nn.Module, inner: AbstractContextManager[Any] | None = None) -> Iterator[None]:
    """Freezes the running statistics of norms, which compute as before; enters ``inner`` as well."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.training]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms if norm.track_running_stats]
    for norm, *_ in kept:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        with inner or nullcontext():
            yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum, norm.num_batches_tracked = momentum, batches
