"""The check that no gradient crosses a module boundary, against plain autograd. Plain PyTorch."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import local_step


def isolation_errors(modules: Sequence[LocalModule], images: Tensor, labels: Tensor) -> list[float]:
    """How much each module's gradients in the local step differ from those of its own loss alone, on one batch.

    The reference is computed in one graph through the whole network, independently of the local step. Each module draws the
    same random numbers for dropout in both.

    Returns:
        For each module the largest relative difference of a gradient; ``inf`` if a parameter outside the module
        received one.
    """
    references, state, targets = [], State(images), Targets(labels, images)
    for index, module in enumerate(modules):
        torch.manual_seed(index)
        state = module(state)
        loss = module.loss(state, targets)['loss']
        references.append(torch.autograd.grad(loss, _trainable(module), retain_graph=True, allow_unused=True))
    everything = [parameter for module in modules for parameter in _trainable(module)]
    errors: list[float] = []

    def measure(index: int, loss: Tensor) -> None:
        loss.backward()
        own = _trainable(modules[index])
        leaked = {id(p) for p in everything if p.grad is not None} - {id(p) for p in own}
        errors.append(float('inf') if leaked else max(map(_difference, own, references[index]), default=0.0))
        for parameter in everything:
            parameter.grad = None

    def same_draws(index: int) -> AbstractContextManager[None]:
        torch.manual_seed(index)
        return nullcontext()

    local_step(modules, images, labels, measure, same_draws)
    return errors


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _difference(parameter: nn.Parameter, reference: Tensor | None) -> float:
    if parameter.grad is None or reference is None:
        return 0.0 if parameter.grad is reference else float('inf')
    return float((parameter.grad - reference).norm() / reference.norm().clamp_min(torch.finfo(reference.dtype).tiny))
