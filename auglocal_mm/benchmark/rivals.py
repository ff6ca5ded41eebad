"""Backpropagation with less memory as PyTorch offers it in a line or two: the rivals of local learning."""

from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.optim import Optimizer

from auglocal_mm.benchmark.iteration import Step, training_step
from auglocal_mm.models import ImageClassifier
from auglocal_mm.private import activation_memory_budget
from auglocal_mm.runtime.memory_order import keep_memory_order


def saved_on_cpu(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper) -> Step:
    """Activations wait for the backward pass in the (pinned) memory of the CPU. Without a GPU nothing changes."""
    step = training_step(config, model, optim_wrapper)

    def offloading(data: dict[str, Tensor]) -> Any:
        with save_on_cpu(pin_memory=torch.cuda.is_available()):
            return step(data)

    return offloading


def updated_in_backward(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper) -> Step:
    """Each parameter is updated as soon as it has its gradient, which is then freed."""
    optimizer = optim_wrapper.optimizer
    for group in optimizer.param_groups:
        for parameter in group['params']:
            own = type(optimizer)([{**group, 'params': [parameter]}])
            own.state = optimizer.state  # where a benchmark looks for it
            keep_memory_order(own)
            parameter.register_post_accumulate_grad_hook(partial(_update, own))
    return partial(_loss_and_backward, model, model, optim_wrapper)


def _update(optimizer: Optimizer, parameter: nn.Parameter) -> None:
    optimizer.step()
    optimizer.zero_grad()


def compiled_within(
    config: Config,
    model: ImageClassifier,
    optim_wrapper: OptimWrapper,
    budget: float,
    backend: str = 'inductor',
) -> Step:
    """Compiled, with a share of the activations that the compiler would save; it chooses what to recompute.

    Args:
        config: Config of the training.
        model: The classifier.
        optim_wrapper: Its optimizer.
        budget: ``activation_memory_budget`` of PyTorch's partitioner: 1.0 recomputes only what is free, 0.0 everything.
        backend: Of :func:`torch.compile`.
    """
    compiled = torch.compile(model, backend=backend)

    def step(data: dict[str, Tensor]) -> Tensor:
        with activation_memory_budget(budget):  # read when the first iteration is compiled
            loss = _loss_and_backward(model, compiled, optim_wrapper, data)
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return loss

    return step


def _loss_and_backward(model: ImageClassifier, forward: Any, optim_wrapper: OptimWrapper, data: Any) -> Tensor:
    """The loss of BP, after its backward pass."""
    with optim_wrapper.optim_context(model):
        losses = forward(**model.data_preprocessor(data, True), mode='loss')
        loss, _ = model.parse_losses(losses)
    loss.backward()
    return loss.detach()
