"""Losses and accuracies of all local modules, kept on the device until somebody looks. Plain PyTorch."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class LocalStatistics:
    """What the modules of the last iterations lost and got right.

    Reading a number from a GPU makes the program wait for it. Here nothing is read in the training loop; :meth:`take` reads
    all iterations at once.
    """

    def __init__(self) -> None:
        self._iterations: list[Tensor] = []

    def add(self, results: Sequence[Mapping[str, Tensor]]) -> None:
        """Takes in one iteration: for each module its ``loss`` and ``accuracy``, as :func:`local_step` returns them."""
        values = [result[name] for result in results for name in ('loss', 'accuracy')]
        self._iterations.append(torch.stack(values).double().view(-1, 2))

    def take(self) -> Tensor:
        """Gives all iterations since the last call: (iterations, K, 2) of loss and accuracy, float64, on the CPU."""
        taken, self._iterations = self._iterations, []
        return torch.stack(taken).cpu() if taken else torch.zeros(0, 0, 2, dtype=torch.float64)
