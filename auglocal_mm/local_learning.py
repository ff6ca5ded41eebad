"""The local step: every local module learns from its own loss, and no gradient crosses a border. Plain PyTorch."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from auglocal_mm.partition import LocalModule

Update = Callable[[int, Tensor], None]
"""Takes the number of a local module and its loss: runs backward, steps its parameters, frees their gradients."""


def local_step(
    modules: Sequence[LocalModule],
    inputs: Tensor,
    labels: Tensor,
    update: Update,
    context: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[dict[str, Tensor]]:
    """One training iteration, module by module (section 3.1)::

        h_0 = x
        for k = 1..K:
            h_k = f_k(stop_gradient(h_{k-1}))
            minimise head_k.loss(h_k, y, x) over the parameters of f_k and head_k

    Only one module's activations are alive at any time, and after its update only its output remains.

    Args:
        modules: The chain, the last one with the primary network's classifier.
        inputs: (N, C, H, W).
        labels: (N,), whatever the heads' losses take.
        update: Called as soon as a module's loss is known.
        context: Makes the context of forward and loss, such as autocast. Backward runs outside.

    Returns:
        What each head's ``loss`` returned (``'loss'`` and diagnostics), detached and still on the device.
    """
    results = []
    features = inputs
    for number, module in enumerate(modules):
        with context():
            features = module.layers(features)
            losses = module.head.loss(features, labels, inputs)  # type: ignore[operator]
        features = features.detach()
        update(number, losses['loss'])
        results.append({name: value.detach() for name, value in losses.items()})
    return results


def isolation_errors(modules: Sequence[LocalModule], inputs: Tensor, labels: Tensor) -> list[float]:
    """Checks one batch against plain autograd: how far each module's gradients are from those of its loss alone.

    The reference is taken in one graph through the whole network, so that it does not rest on the local step. Either way
    each module draws the same random numbers, for its dropout.

    Returns:
        For each module the largest relative difference of a gradient. ``inf`` where a parameter outside the module
        received a gradient.
    """
    references, features = [], inputs
    for number, module in enumerate(modules):
        torch.manual_seed(number)
        features = module.layers(features)
        loss = module.head.loss(features, labels, inputs)['loss']  # type: ignore[operator]
        references.append(torch.autograd.grad(loss, _trainable(module), retain_graph=True, allow_unused=True))
    everything = [parameter for module in modules for parameter in _trainable(module)]
    errors: list[float] = []

    def measure(number: int, loss: Tensor) -> None:
        loss.backward()
        own = _trainable(modules[number])
        leaked = {id(p) for p in everything if p.grad is not None} - {id(p) for p in own}
        errors.append(float('inf') if leaked else max(map(_difference, own, references[number]), default=0.0))
        for parameter in everything:
            parameter.grad = None

    numbers = itertools.count()

    def same_draws() -> AbstractContextManager[None]:
        torch.manual_seed(next(numbers))
        return nullcontext()

    local_step(modules, inputs, labels, measure, same_draws)
    return errors


def _trainable(module: LocalModule) -> list[torch.nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _difference(parameter: torch.nn.Parameter, reference: Tensor | None) -> float:
    if parameter.grad is None or reference is None:
        return 0.0 if parameter.grad is reference else float('inf')
    return float((parameter.grad - reference).norm() / reference.norm().clamp_min(torch.finfo(reference.dtype).tiny))
