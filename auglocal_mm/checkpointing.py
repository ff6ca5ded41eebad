"""Activation checkpointing of layers and of runs of layers: less memory for a second forward pass. Plain PyTorch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from auglocal_mm.errors import InputError

COSTLY = [torch.ops.aten.convolution.default, torch.ops.aten.addmm.default, torch.ops.aten.mm.default]
"""Operations whose results are kept where only norms, activations and pooling are computed again."""


class Run(NamedTuple):
    """Consecutive layers that backward computes again together.

    Attributes:
        first: The first layer, counted from 0.
        last: The last one.
        only_norms: Whether what convolutions and linear layers gave is kept, so that only norms, activations and pooling
            are computed again; then it is a single layer.
    """

    first: int
    last: int
    only_norms: bool = False


class Checkpointed(nn.Module):
    """Runs ``module`` and keeps only its input; backward runs it once more.

    Gradients equal those without checkpointing, and the running statistics of BatchNorm move once.

    Args:
        module: Any.
        only_norms: Whether the results of its convolutions and linear layers are kept too, which saves most of the time.
    """

    def __init__(self, module: nn.Module, only_norms: bool = False) -> None:
        super().__init__()
        self.module, self.only_norms = module, only_norms
        for activation in module.modules() if only_norms else ():
            hooks = activation._forward_pre_hooks
            if getattr(activation, 'inplace', False) and _spare_convolution not in hooks.values():
                activation.register_forward_pre_hook(_spare_convolution)

    @torch.compiler.disable  # the norms that stand still in the second pass cannot be traced
    def forward(self, features: Tensor) -> Tensor:
        """What ``module`` gives."""
        if not torch.is_grad_enabled():
            return self.module(features)
        return checkpoint(self.module, features, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        if not self.only_norms:
            return nullcontext(), _without_statistics(self.module)
        first, again = create_selective_checkpoint_contexts(COSTLY)
        return first, _without_statistics(self.module, again)


def resolve_runs(names: Sequence[str], checkpointed: Sequence[Any] | str) -> list[Run]:
    """The runs that a config names.

    Args:
        names: All layers, in order.
        checkpointed: ``'all'`` for every layer by itself, ``'norms'`` for the norms, activations and pooling of every layer,
            or a list of names, of pairs ``['first', 'last']`` and of ``{'norms': name}``.

    Raises:
        InputError: An unknown name, or a run that is no pair in order, or two that overlap.
    """
    if checkpointed == 'norms':
        return [Run(number, number, only_norms=True) for number in range(len(names))]
    if (isinstance(checkpointed, str) and checkpointed != 'all') or not isinstance(checkpointed, Sequence):
        raise InputError(
            f"checkpointed is {checkpointed!r}; expected 'all', 'norms', or a list of layers and of runs of them"
        )
    entries = list(names) if checkpointed == 'all' else list(checkpointed)
    runs = []
    for entry in entries:
        only_norms = isinstance(entry, Mapping)
        if isinstance(entry, Mapping):
            if set(entry) != {'norms'}:
                raise InputError(f"checkpointed has {entry}; expected a name, a pair of names, or {{'norms': name}}")
            entry = entry['norms']
        ends = [entry, entry] if isinstance(entry, str | int) else list(entry)
        unknown = [end for end in ends if end not in names]
        if unknown:
            raise InputError(
                f"checkpointed names the layer {unknown[0]!r}, which is unknown; expected 'all', 'norms' or some of "
                f'{", ".join(names)}'
            )
        if len(ends) != 2 or (only_norms and ends[0] != ends[1]) or names.index(ends[0]) > names.index(ends[1]):
            raise InputError(f'checkpointed has the run {ends}; expected a pair, the first layer and the last one')
        runs.append(Run(names.index(ends[0]), names.index(ends[1]), only_norms))
    runs.sort()
    for before, after in pairwise(runs):
        if after.first <= before.last:
            raise InputError(f'checkpointed has the layer {names[after.first]} in two runs; name each once')
    return runs


def apply_runs(modules: Sequence[nn.Module], runs: Sequence[Run]) -> list[nn.Module]:
    """``modules`` with each run joined into one :class:`Checkpointed`; nothing is registered a second time here."""
    joined: list[nn.Module] = []
    position = 0
    for run in [*runs, None]:
        joined += modules[position : run.first if run else None]
        if run:
            part = modules[run.first : run.last + 1]
            joined.append(Checkpointed(part[0] if len(part) == 1 else nn.Sequential(*part), run.only_norms))
            position = run.last + 1
    return joined


def runs_within(runs: Sequence[Run], first: int, last: int) -> list[Run]:
    """The runs inside the layers ``first`` to ``last``, counted from ``first``.

    Raises:
        InputError: A run crosses the border.
    """
    inside = [run for run in runs if run.first <= last and run.last >= first]
    if any(run.first < first or run.last > last for run in inside):
        raise InputError('a checkpointed run crosses the border of a local module; end it there (model.checkpointed)')
    return [Run(run.first - first, run.last - first, run.only_norms) for run in inside]


def _spare_convolution(activation: Any, inputs: tuple[Tensor]) -> None:
    """Keeps an activation right behind a convolution, as in squeeze-and-excitation, from overwriting the result that is kept."""
    node = inputs[0].grad_fn
    if node is not None and node.name().startswith(('Convolution', 'Addmm', 'Mm')):
        activation.inplace = False


@contextmanager
def _without_statistics(module: nn.Module, inner: AbstractContextManager[Any] | None = None) -> Iterator[None]:
    """Lets norms compute as they did while their running statistics stand still; enters ``inner`` as well."""
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
