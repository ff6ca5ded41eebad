"""Linear centred kernel alignment (CKA) between the layers of two networks, in minibatches. Plain PyTorch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from auglocal_mm.errors import InputError


class MinibatchCKA:
    """Accumulates CKA between every layer of one network and every layer of another, batch by batch.

    The unbiased estimator of HSIC is averaged over batches (equation 3 of *Do Wide and Deep Networks Learn the Same
    Things?*, arXiv 2010.15327), so that in expectation the result does not depend on the batch size.

    Args:
        first: Number of layers of the first network.
        second: Number of layers of the second network.
    """

    smallest_batch = 4  # for which the estimator is defined

    def __init__(self, first: int, second: int) -> None:
        self.count = 0
        self.cross = torch.zeros(first, second, dtype=torch.float64)
        self.own = [torch.zeros(first, dtype=torch.float64), torch.zeros(second, dtype=torch.float64)]

    def update(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> None:
        """Adds one batch.

        Args:
            first: Features (N, ...) of each layer of the first network.
            second: Features (N, ...) of each layer of the second network, for the same N images.

        Raises:
            InputError: There are fewer images than ``smallest_batch``.
        """
        if len(first[0]) < self.smallest_batch:
            raise InputError(
                f'a batch has {len(first[0])} images; CKA needs at least {self.smallest_batch}, give larger batches'
            )
        self.count += len(first[0])
        grams = [torch.stack([linear_gram(features) for features in network]) for network in (first, second)]
        self.cross += hsic(grams[0][:, None], grams[1][None]).cpu()
        for own, gram in zip(self.own, grams, strict=True):
            own += hsic(gram, gram).cpu()

    def result(self) -> Tensor:
        """CKA of all pairs of layers, float64 of shape (first, second).

        Raises:
            InputError: There was no batch.
        """
        if not self.count:
            raise InputError(
                f'no batch has the {self.smallest_batch} images that CKA needs; give more images, or larger batches'
            )
        return self.cross / (self.own[0][:, None] * self.own[1][None]).sqrt()


def linear_gram(features: Tensor) -> Tensor:
    """Inner products (N, N) of the features (N, ...) of N images, in float64 with a zero diagonal."""
    flat = features.flatten(1).double()
    gram = flat @ flat.T
    return gram.fill_diagonal_(0)


def hsic(first: Tensor, second: Tensor) -> Tensor:
    """The unbiased estimator of HSIC (Song et al. 2012) of Gram matrices (..., N, N) with zero diagonals."""
    n = first.shape[-1]
    trace = (first * second).sum(dim=(-2, -1))
    sums = first.sum(dim=(-2, -1)) * second.sum(dim=(-2, -1)) / ((n - 1) * (n - 2))
    rows = (first.sum(dim=-1) * second.sum(dim=-1)).sum(dim=-1) * 2 / (n - 2)
    return (trace + sums - rows) / (n * (n - 3))
