"""The mean of gradients over the processes that train the same local module, computed while this process goes on."""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import distributed, nn

from auglocal_mm.runtime.grid import num_replicas, replica_group


class GradientAverage:
    """Begins to average gradients, in one all-reduce for each dtype.

    Args:
        parameters: Those without a gradient are left out. The gradients must not change before :meth:`wait`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        gradients.sort(key=lambda gradient: str(gradient.dtype))
        self.groups = [list(group) for _, group in groupby(gradients, key=lambda gradient: gradient.dtype)]
        self.sums = [torch.cat([gradient.reshape(-1) for gradient in group]) for group in self.groups]
        self.works = [distributed.all_reduce(each, group=replica_group(), async_op=True) for each in self.sums]

    def wait(self) -> None:
        """Replaces the gradients by their mean."""
        for group, total, work in zip(self.groups, self.sums, self.works, strict=True):
            work.wait()
            total /= num_replicas()
            for gradient, values in zip(group, total.split([each.numel() for each in group]), strict=True):
                gradient.copy_(values.view(gradient.shape))


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over the processes that train the same module."""
    if num_replicas() > 1:
        GradientAverage(parameters).wait()
