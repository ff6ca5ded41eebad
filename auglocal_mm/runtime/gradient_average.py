"""The mean of gradients over the processes that train the same local module, computed while this process goes on."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn

from auglocal_mm.runtime.grid import num_replicas, replica_group

BUCKET = 25 * 2**20
"""Bytes of gradients that are averaged together, as in ``DistributedDataParallel``."""


class GradientAverage:
    """Averages gradients in buckets, each in one all-reduce.

    Args:
        parameters: Those without a gradient are left out.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.remaining = dict.fromkeys(parameters)
        self.buckets: dict[torch.dtype, list[Tensor]] = defaultdict(list)
        self.begun: list[tuple[list[Tensor], Tensor, Any]] = []

    @contextmanager
    def during_backward(self) -> Iterator[None]:
        """Within it, a bucket is begun as soon as backward has computed it, and then the rest.

        Gradients must not change afterwards until :meth:`wait`.
        """
        hooks = [each.register_post_accumulate_grad_hook(self._add) for each in self.remaining if each.requires_grad]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        self.begin_rest()

    def begin_rest(self) -> None:
        """Begins to average all gradients that are not averaged yet."""
        for parameter in list(self.remaining):
            self._add(parameter)
        for bucket in self.buckets.values():
            self._begin(bucket)

    def wait(self) -> None:
        """Replaces the gradients by their mean."""
        for gradients, total, work in self.begun:
            work.wait()
            total /= num_replicas()
            for gradient, values in zip(gradients, total.split([each.numel() for each in gradients]), strict=True):
                gradient.copy_(values.view(gradient.shape))

    def _add(self, parameter: nn.Parameter) -> None:
        del self.remaining[parameter]
        if parameter.grad is None:
            return
        bucket = self.buckets[parameter.grad.dtype]
        bucket.append(parameter.grad)
        if sum(gradient.nbytes for gradient in bucket) >= BUCKET:
            self._begin(bucket)

    def _begin(self, bucket: list[Tensor]) -> None:
        if bucket:
            total = torch.cat([gradient.reshape(-1) for gradient in bucket])
            work = distributed.all_reduce(total, group=replica_group(), async_op=True)
            self.begun.append(([*bucket], total, work))
            bucket.clear()


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over the processes that train the same module."""
    if num_replicas() > 1:
        average = GradientAverage(parameters)
        average.begin_rest()
        average.wait()
