"""The local step: each local module learns from its own loss; no gradient crosses a module boundary. Plain PyTorch."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets

Update = Callable[[int, Tensor], None]
"""Takes the index of a local module and its loss: runs backward, steps its parameters, frees their gradients."""
Context = Callable[[int], AbstractContextManager[None]]
"""Takes the index of a local module; its forward pass and loss run in what it returns, backward does not."""


def in_turn(index: int, iteration: int, update_every: int) -> bool:
    """Whether a module is trained in an iteration, if each is trained once in ``update_every`` iterations.

    Args:
        index: Of the module, from 0.
        iteration: From 0.
        update_every: At least 1.
    """
    return (iteration + index) % update_every == 0


def local_step(
    modules: Sequence[LocalModule],
    images: Tensor,
    labels: Any,
    update: Update,
    context: Context = lambda index: nullcontext(),
    is_due: Callable[[int], bool] = lambda index: True,
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
        context: The context of forward and loss, such as autocast.
        is_due: Whether the module of an index is trained. The others only compute h_k, and update statistics of norms.

    Returns:
        The output of each head's ``loss`` (``'loss'`` and diagnostics), detached and still on the device. Of a module that
        was not trained, ``'loss'`` and ``'accuracy'`` are NaN.
    """
    return train_modules(modules, State(images), Targets(labels, images), update, context, is_due)


def train_modules(
    modules: Sequence[LocalModule],
    state: State,
    targets: Targets,
    update: Update,
    context: Context,
    is_due: Callable[[int], bool] = lambda index: True,
    send: Callable[[State], None] = lambda state: None,
) -> list[dict[str, Tensor]]:
    """The part of the local step of some consecutive modules.

    Args:
        modules: In order.
        state: The input of the first of them, without a graph.
        targets: Of their losses.
        update: As in :func:`local_step`, with indices in ``modules``.
        context: As in :func:`local_step`, with indices in ``modules``.
        is_due: As in :func:`local_step`, with indices in ``modules``.
        send: Takes the output of the last of them before its backward pass, which nobody need wait for.

    Returns:
        As :func:`local_step`.
    """
    results = []
    for index, module in enumerate(modules):
        due = is_due(index)
        with context(index), nullcontext() if due else torch.no_grad():
            state = module(state)
            losses = module.loss(state, targets) if due else _nothing(state)
        state = state.detach()
        if index == len(modules) - 1:
            send(state)
        if due:
            update(index, losses['loss'])
        results.append({name: value.detach() for name, value in losses.items()})
    return results


def _nothing(state: State) -> dict[str, Tensor]:
    missing = torch.full((), math.nan, device=state.features.device)
    return {'loss': missing, 'accuracy': missing}
