"""The local step: each local module learns from its own loss; no gradient crosses a module boundary. Plain PyTorch."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets

Update = Callable[[int, Tensor], None]
"""Takes the index of a local module and its loss: runs backward, steps its parameters, frees their gradients."""


def local_step(
    modules: Sequence[LocalModule],
    images: Tensor,
    labels: Any,
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
        modules: All local modules in order, the last one with the primary network's head.
        images: (N, 3, H, W).
        labels: (N,), or other targets that the heads' losses take.
        update: Called as soon as a module's loss is known.
        context: Returns the context of forward and loss, such as autocast. Backward runs outside it.

    Returns:
        The output of each head's ``loss`` (``'loss'`` and diagnostics), detached and still on the device.
    """
    results = []
    state, targets = State(images), Targets(labels, images)
    for index, module in enumerate(modules):
        with context():
            state = module(state)
            losses = module.loss(state, targets)
        state = state.detach()
        update(index, losses['loss'])
        results.append({name: value.detach() for name, value in losses.items()})
    return results
