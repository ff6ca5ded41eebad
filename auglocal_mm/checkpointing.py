"""Activation checkpointing of layers and of runs of layers: less memory for a second forward pass. Plain PyTorch."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from auglocal_mm.errors import InputError

Run: TypeAlias = tuple[int, int]
"""First and last layer, counted from 0, that are computed again together."""


class Checkpointed(nn.Module):
    """Runs ``module`` and keeps only its input; backward runs it once more.

    Gradients equal those without checkpointing, and the running statistics of BatchNorm move once.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, features: Tensor) -> Tensor:
        """What ``module`` gives."""
        if not torch.is_grad_enabled():
            return self.module(features)
        return checkpoint(self.module, features, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(self.module)


def resolve_runs(names: Sequence[str], checkpointed: Sequence[str | Sequence[str]] | str) -> list[Run]:
    """The runs that a config names.

    Args:
        names: All layers, in order.
        checkpointed: ``'all'`` for every layer by itself, or a list of names and of pairs ``['first', 'last']``.

    Raises:
        InputError: An unknown name, or a run that is no pair in order, or two that overlap.
    """
    entries = list(names) if checkpointed == 'all' else list(checkpointed)
    runs = []
    for entry in entries:
        ends = [entry, entry] if isinstance(entry, str) else list(entry)
        unknown = [end for end in ends if end not in names]
        if unknown:
            raise InputError(
                f"checkpointed names the layer {unknown[0]!r}, which is unknown; expected 'all' or some of "
                f'{", ".join(map(str, names))}'
            )
        if len(ends) != 2 or names.index(ends[0]) > names.index(ends[1]):
            raise InputError(f'checkpointed has the run {ends}; expected a pair, the first layer and the last one')
        runs.append((names.index(ends[0]), names.index(ends[1])))
    runs.sort()
    for (_, end), (begin, _) in pairwise(runs):
        if begin <= end:
            raise InputError(f'checkpointed has the layer {names[begin]} in two runs; name each once')
    return runs


def apply_runs(modules: Sequence[nn.Module], runs: Sequence[Run]) -> list[nn.Module]:
    """``modules`` with each run joined into one :class:`Checkpointed`; nothing is registered a second time here."""
    ends = dict(runs)
    joined: list[nn.Module] = []
    position = 0
    while position < len(modules):
        end = ends.get(position)
        if end is None:
            joined.append(modules[position])
        else:
            part = modules[position : end + 1]
            joined.append(Checkpointed(part[0] if len(part) == 1 else nn.Sequential(*part)))
        position = (position if end is None else end) + 1
    return joined


def runs_within(runs: Sequence[Run], first: int, last: int) -> list[Run]:
    """The runs inside the layers ``first`` to ``last``, counted from ``first``.

    Raises:
        InputError: A run crosses the border.
    """
    inside = [run for run in runs if run[0] <= last and run[1] >= first]
    if any(begin < first or end > last for begin, end in inside):
        raise InputError('a checkpointed run crosses the border of a local module; end it there (model.checkpointed)')
    return [(begin - first, end - first) for begin, end in inside]


@contextmanager
def _without_statistics(module: nn.Module) -> Iterator[None]:
    """Lets norms compute as they did while their running statistics stand still."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm) and each.training]
    kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms if norm.track_running_stats]
    for norm, *_ in kept:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum, norm.num_batches_tracked = momentum, batches
