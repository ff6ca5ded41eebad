"""Counts what a real training step holds for backward, on any device. Plain PyTorch."""

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class ActivationMeter(TorchDispatchMode):
    """While it is entered, follows the storages that forward passes make, those of recomputed layers too.

    What backward makes for itself (gradients) is not counted: gradients of activations live for a moment, gradients of
    parameters are known from the number of parameters.

    Attributes:
        peak: The most bytes that lived at one time.
        saved: The most while a backward pass ran: what is saved for it, without what only passes through a forward pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.saved = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def follow(self, tensor: Tensor) -> None:
        """Counts a tensor that was there before, such as the images."""
        storage = tensor.untyped_storage()
        self._alive[storage_of(tensor)] = (StorageWeakRef(storage), storage.nbytes())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {storage_of(value) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        outputs = func(*args, **(kwargs or {}))
        if torch.is_grad_enabled():  # backward runs without, recomputation inside it with
            for output in tree_leaves(outputs):
                if isinstance(output, Tensor) and storage_of(output) not in given:
                    self.follow(output)
        self._alive = {name: each for name, each in self._alive.items() if not each[0].expired()}
        alive = sum(size for _, size in self._alive.values())
        self.peak = max(self.peak, alive)
        if not torch.is_grad_enabled():
            self.saved = max(self.saved, alive)
        return outputs


def storage_of(tensor: Tensor) -> int:
    """Names the storage of a tensor; tensors without data have no other name, since all of them lie at address 0."""
    return tensor.untyped_storage()._cdata
