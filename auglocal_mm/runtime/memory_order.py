"""The memory layout of an optimizer's tensors: that of their parameter, and one-dimensional views for a fused step."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def keep_memory_order(optimizer: Optimizer) -> None:
    """Makes ``optimizer`` step in memory order, also after it loads a state of another layout."""
    views = ExitStack()
    optimizer.register_load_state_dict_post_hook(align_state)
    optimizer.register_step_pre_hook(lambda *_: views.enter_context(as_rows(optimizer)))
    optimizer.register_step_post_hook(lambda *_: views.close())


def align_state(optimizer: Optimizer) -> None:
    """Gives momentum and similar state the layout of their parameter, which differs in a checkpoint of another memory format.

    PyTorch's fused optimizers on a CPU iterate in memory order, and compute wrong weights if the layouts differ.
    """
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if _belongs(value, parameter) and value.stride() != parameter.stride():
                state[key] = like(value, parameter)


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """A copy of ``value`` on the device and in the memory layout of a parameter of the same shape."""
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


@contextmanager
def as_rows(optimizer: Optimizer) -> Iterator[None]:
    """Presents weights, gradients and state to a fused optimizer on a CPU as one-dimensional views.

    The step is elementwise, so its result is the same. Without the views it copies every gradient that is not contiguous,
    such as those of channels-last weights.
    """
    parameters = [p for group in optimizer.param_groups if group.get('fused') for p in group['params']]
    layouts = {p: (p.shape, p.stride()) for p in parameters if _gains(p, optimizer.state.get(p, {}))}
    try:
        for parameter in layouts:
            _view(parameter, optimizer.state.get(parameter, {}), [parameter.numel()], [1])
        yield
    finally:
        for parameter, (shape, stride) in layouts.items():
            _view(parameter, optimizer.state.get(parameter, {}), shape, stride)


def _gains(parameter: Tensor, state: dict[str, Any]) -> bool:
    """Whether a parameter is not contiguous, but its gradient and state have the same layout."""
    if parameter.grad is None or parameter.device.type != 'cpu' or parameter.is_contiguous():
        return False
    tensors = [parameter.grad, *(value for value in state.values() if _belongs(value, parameter))]
    return all(tensor.stride() == parameter.stride() for tensor in tensors)


def _view(parameter: Tensor, state: dict[str, Any], shape: Sequence[int], stride: Sequence[int]) -> None:
    gradient, parameter.grad = parameter.grad, None  # a gradient always has the shape of its parameter
    of_parameter = [key for key, value in state.items() if _belongs(value, parameter)]
    parameter.data = parameter.data.as_strided(shape, stride)
    parameter.grad = None if gradient is None else gradient.as_strided(shape, stride)
    for key in of_parameter:
        state[key] = state[key].as_strided(shape, stride)


def _belongs(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
