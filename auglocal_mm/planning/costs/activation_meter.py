"""Measures the peak activation memory of a real training step, on any device. Plain PyTorch."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class ActivationMeter(TorchDispatchMode):
    """A context that tracks the storages that forward passes allocate, including recomputed ones.

    Gradients are not counted: those of activations are short-lived, and those of parameters follow from the number of
    parameters.

    Args:
        device: Where tensors count, by default everywhere.
        weights: What is computed from these alone does not count: the copies that autocast makes, whatever the batch.

    Attributes:
        peak: Peak memory in bytes.
        saved: Peak memory in bytes during backward: the saved tensors, without temporaries of the forward pass.
        copies: Bytes of what was computed from ``weights`` alone, while a forward pass lasts.
    """

    def __init__(self, device: torch.device | None = None, weights: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.device = device
        self.peak = self.saved = self.copies = 0
        self._weights = {storage_of(weight) for weight in weights}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def follow(self, tensor: Tensor) -> None:
        """Also counts a tensor that already exists, such as the images."""
        storage = tensor.untyped_storage()
        self._alive[storage_of(tensor)] = (StorageWeakRef(storage), storage.nbytes())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {storage_of(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        outputs = func(*args, **(kwargs or {}))
        if torch.is_grad_enabled():  # disabled in backward, enabled in its recomputations
            for output in tree_leaves(outputs):
                if not isinstance(output, Tensor) or storage_of(output) in given or not self._counts(output):
                    continue
                if given and given <= self._weights:
                    self.copies += output.nbytes
                else:
                    self.follow(output)
        self._alive = {name: each for name, each in self._alive.items() if not each[0].expired()}
        alive = sum(size for _, size in self._alive.values())
        self.peak = max(self.peak, alive)
        if not torch.is_grad_enabled():
            self.saved = max(self.saved, alive)
        return outputs

    def _counts(self, tensor: Tensor) -> bool:
        return self.device is None or tensor.device == self.device


def storage_of(tensor: Tensor) -> int:
    """A key of the storage of a tensor; the data pointer would not do, since fake tensors all have address 0."""
    return tensor.untyped_storage()._cdata
