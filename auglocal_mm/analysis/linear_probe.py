"""Linear probes of all local layers at once, in one pass over the data. Plain PyTorch."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from auglocal_mm.errors import InputError


class LinearProbes:
    """One ridge regression per layer, from pooled features to one-hot labels, solved in closed form.

    Only sums of products are stored, so that a pass over any number of images needs the memory of one batch and yields
    the exact solution, without learning rate, epochs or seed. Features are standardised, and the intercept is not penalised.

    Args:
        num_layers: Number of layers.
        num_classes: Number of classes.
        penalty: Weight of the squared norm of the solution, relative to the number of images; 0 or more.

    Raises:
        InputError: The penalty is negative, or not finite.
    """

    def __init__(self, num_layers: int, num_classes: int, penalty: float = 1e-3) -> None:
        if not 0 <= penalty < math.inf:
            raise InputError(
                f'the penalty of the linear probes is {penalty}; expected a finite number of at least 0, such as 1e-3'
            )
        self.num_classes, self.penalty = num_classes, penalty
        self.count = 0
        self.products: list[Tensor | None] = [None] * num_layers
        self.targets: list[Tensor] = [torch.zeros(0)] * num_layers

    def update(self, features: Sequence[Tensor], labels: Tensor) -> None:
        """Adds one batch.

        Args:
            features: Features (N, C) of each layer, pooled over positions.
            labels: (N,) class indices.

        Raises:
            InputError: A label is outside the classes.
        """
        outside = labels[(labels < 0) | (labels >= self.num_classes)]
        if len(outside):
            raise InputError(
                f'an image has the label {int(outside[0])}, but the network has {self.num_classes} classes; expected 0 to '
                f'{self.num_classes - 1}, give the data set of the network'
            )
        one_hot = functional.one_hot(labels, self.num_classes).double()
        self.count += len(labels)
        for layer, vectors in enumerate(features):
            inputs = _with_intercept(vectors)
            product, target = inputs.T @ inputs, inputs.T @ one_hot
            known = self.products[layer]
            self.products[layer] = product if known is None else known + product
            self.targets[layer] = target if known is None else self.targets[layer] + target

    def solve(self) -> list[Tensor]:
        """The weights of every probe, float64 of shape (C + 1, classes), the intercept last.

        Raises:
            InputError: There is no unique solution: too few images and no penalty.
        """
        return [self._solve(product, target) for product, target in zip(self.products, self.targets, strict=True)]

    def _solve(self, product: Tensor | None, target: Tensor) -> Tensor:
        if product is None:
            raise ValueError('the linear probes have no batch yet; call update first')
        mean = product[-1, :-1] / self.count
        covariance = product[:-1, :-1] / self.count - mean[:, None] * mean[None]
        scale = covariance.diagonal().clamp_min(0).sqrt()
        scale = torch.where(scale > 1e-12, scale, torch.ones_like(scale))
        average = target[-1] / self.count
        cross = target[:-1] / self.count - mean[:, None] * average[None]
        penalised = covariance / (scale[:, None] * scale[None])
        penalised.diagonal().add_(self.penalty)
        try:
            weights = torch.linalg.solve(penalised, cross / scale[:, None]) / scale[:, None]
        except torch.linalg.LinAlgError as error:
            raise InputError(
                f'linear probes of {self.count} images and {len(scale)} features have no unique solution with the penalty '
                f'{self.penalty}; give more images, or a penalty such as 1e-3'
            ) from error
        return torch.cat([weights, (average - mean @ weights)[None]])


def probe_accuracy(weights: Sequence[Tensor], features: Sequence[Tensor], labels: Tensor) -> list[int]:
    """Number of correct predictions of each probe on a batch.

    Args:
        weights: The weights that :meth:`LinearProbes.solve` returns.
        features: Features (N, C) of each layer.
        labels: (N,) class indices.
    """
    scores = [_with_intercept(vectors) @ weight for weight, vectors in zip(weights, features, strict=True)]
    return [int((score.argmax(dim=1) == labels).sum()) for score in scores]


def _with_intercept(vectors: Tensor) -> Tensor:
    return torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1).double()
