"""Activation checkpointing of single layers: less memory for a second forward pass. Plain PyTorch."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from auglocal_mm.errors import InputError
from auglocal_mm.partition import LocalLayer


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


def checkpoint_layers(layers: Sequence[LocalLayer], names: Sequence[str] | str) -> list[LocalLayer]:
    """Wraps the named local layers.

    Args:
        layers: All local layers.
        names: Names of local layers, or ``'all'``.

    Raises:
        InputError: There is no local layer of that name.
    """
    known = [layer.name for layer in layers]
    chosen = known if names == 'all' else list(names)
    for name in chosen:
        if name not in known:
            raise InputError(
                f"checkpointed names the local layer {name!r}, which is unknown; expected 'all' or some of {', '.join(known)}"
            )
    return [LocalLayer(each.name, Checkpointed(each.module)) if each.name in chosen else each for each in layers]


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
