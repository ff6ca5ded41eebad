"""Losses and accuracies of all local modules, kept on the device until they are read. Plain PyTorch."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


class LocalStatistics:
    """Losses and accuracies of the modules in the latest iterations.

    Reading a value from a GPU blocks until it is computed. Here nothing is read in the training loop; :meth:`take` reads
    all iterations at once.
    """

    def __init__(self) -> None:
        self._iterations: list[Tensor] = []

    def add(self, results: Sequence[Mapping[str, Tensor]]) -> None:
        """Adds one iteration: for each module its ``loss`` and ``accuracy``, as :func:`local_step` returns them.

        Both are NaN for a module that was not trained.
        """
        values = [result[name] for result in results for name in ('loss', 'accuracy')]
        self._iterations.append(torch.stack(values).double().view(-1, 2))

    def take(self) -> Tensor:
        """Returns all iterations since the last call: (iterations, K, 2) of loss and accuracy, float64, on the CPU."""
        taken, self._iterations = self._iterations, []
        return torch.stack(taken).cpu() if taken else torch.zeros(0, 0, 2, dtype=torch.float64)
