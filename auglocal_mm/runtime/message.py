"""What passes from one stage to the next in one iteration, as one tensor of a fixed number of bytes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ALIGNMENT = 16
"""Bytes; tensors of every type may begin there."""


@dataclass(frozen=True)
class Item:
    """A tensor of N samples: its type, and the shape and the strides of one sample in memory."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> 'Item':
        """The item of a tensor (N, ...) whose samples lie one after the other."""
        return cls(tensor.dtype, tuple(tensor.shape[1:]), tensor.stride()[1:])

    def size(self, samples: int) -> int:
        """Bytes of so many samples, aligned."""
        return -(-samples * math.prod(self.shape) * self.dtype.itemsize // ALIGNMENT) * ALIGNMENT

    def view(self, buffer: Tensor, samples: int) -> Tensor:
        """The tensor (samples, ...) at the beginning of a buffer of bytes."""
        each = math.prod(self.shape)
        values = buffer[: samples * each * self.dtype.itemsize].view(self.dtype)
        return values.as_strided((samples, *self.shape), (each, *self.strides))


@dataclass(frozen=True)
class MessageFormat:
    """The tensors of a message, all with the same number of samples, and room for a whole batch of them.

    The layout in memory is kept, since convolutions choose their algorithm by it.

    Attributes:
        items: Of the tensors.
        batch_size: The largest number of samples.
    """

    items: tuple[Item, ...]
    batch_size: int

    @property
    def size(self) -> int:
        """Bytes of a message."""
        return ALIGNMENT + sum(item.size(self.batch_size) for item in self.items)

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """The message (bytes,) with ``tensors``, of at most ``batch_size`` samples each."""
        samples, start = len(tensors[0]), ALIGNMENT
        message = torch.empty(self.size, dtype=torch.uint8, device=tensors[0].device)
        message[:8].view(torch.int64).fill_(samples)
        for item, tensor in zip(self.items, tensors, strict=True):
            item.view(message[start:], samples).copy_(tensor)
            start += item.size(self.batch_size)
        return message

    def unpack(self, message: Tensor) -> list[Tensor]:
        """The tensors in a message, without a copy."""
        samples, start, tensors = int(message[:8].view(torch.int64)), ALIGNMENT, []
        for item in self.items:
            tensors.append(item.view(message[start:], samples))
            start += item.size(self.batch_size)
        return tensors


def in_order(tensor: Tensor) -> Tensor:
    """``tensor`` (N, ...), copied if its samples do not lie one after the other in memory, without gaps."""
    each = math.prod(tensor.shape[1:])
    sizes = sorted(
        (stride, size) for size, stride in zip(tensor.shape[1:], tensor.stride()[1:], strict=True) if size > 1
    )
    dense = all(stride == math.prod(size for _, size in sizes[:i]) for i, (stride, _) in enumerate(sizes))
    return tensor if dense and (len(tensor) == 1 or tensor.stride(0) == each) else tensor.contiguous()
