"""Finds the first of many tensors that is not finite."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def non_finite(state: Any, name: str = '') -> str | None:
    """The name and value of the first tensor that is not finite, as in ``state_dict.fc.bias is nan``; ``None`` without one.

    Args:
        state: A tensor, or nested dicts and lists of tensors.
        name: Of ``state``.
    """
    for path, tensor in _tensors(state, name):
        if tensor.is_floating_point() and tensor.numel() and not _all_finite(tensor):
            return f'{path} is {float(tensor[~torch.isfinite(tensor)][0])}'
    return None


def _all_finite(tensor: Tensor) -> bool:
    return all(math.isfinite(extreme) for extreme in tensor.aminmax())  # NaN if one value is; no mask of all values


def _tensors(state: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield name, state
    pairs = state.items() if isinstance(state, Mapping) else enumerate(state) if isinstance(state, list | tuple) else ()
    for key, value in pairs:
        yield from _tensors(value, f'{name}.{key}' if name else str(key))
