"""What trained classifiers are like, layer by layer."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from torch import Tensor

from auglocal_mm.analysis.cka import MinibatchCKA
from auglocal_mm.analysis.linear_probe import LinearProbes, probe_accuracy
from auglocal_mm.analysis.trained_model import layer_outputs, pooled_outputs
from auglocal_mm.errors import InputError
from auglocal_mm.models import ImageClassifier

Batches: TypeAlias = Iterable[tuple[Tensor, Tensor]]
"""Of images, uint8 (N, 3, H, W), and labels (N,), as :func:`labelled_batches` gives them."""


class ProbedLayers(NamedTuple):
    """What linear probes find.

    Attributes:
        top1: Accuracy of every local layer's probe in percent.
        fitted_on: How many images the probes are fitted on.
        measured_on: How many images the accuracies are of.
    """

    top1: list[float]
    fitted_on: int
    measured_on: int


def layer_cka(first: ImageClassifier, second: ImageClassifier, batches: Batches) -> Tensor:
    """Linear CKA between every local layer of one classifier and every one of another.

    Args:
        first: One classifier; each normalises the images as in its own training.
        second: Another one, of any depth.
        batches: Those of fewer than four images, for which the estimator is not defined, are left out.

    Returns:
        float64 of shape (layers of the first, layers of the second).

    Raises:
        InputError: No batch is large enough, or a network gives what is not finite.
    """
    cka = MinibatchCKA(len(first.layers), len(second.layers))
    for images, _ in batches:
        if len(images) >= MinibatchCKA.smallest_batch:
            cka.update(*(list(layer_outputs(model, images)) for model in (first, second)))
    values = cka.result()
    if not values.isfinite().all():
        raise InputError(
            'CKA is no number: a network has weights that are not finite, or a layer that gives only zeros'
        )
    return values


def probe_layers(
    model: ImageClassifier, fitted_on: Batches, measured_on: Batches, penalty: float = 1e-3
) -> ProbedLayers:
    """How linearly separable the classes are at every local layer of a frozen classifier.

    Args:
        model: The classifier.
        fitted_on: Gone through once, for all probes.
        measured_on: Other images.
        penalty: Of the ridge regression, see :class:`LinearProbes`.

    Raises:
        InputError: As :class:`LinearProbes`.
    """
    device, layers = next(model.parameters()).device, len(model.layers)
    probes = LinearProbes(layers, model.head.num_classes, penalty)
    for images, labels in fitted_on:
        probes.update(pooled_outputs(model, images), labels.to(device))
    weights, right, total = probes.solve(), [0] * layers, 0
    for images, labels in measured_on:
        found = probe_accuracy(weights, pooled_outputs(model, images), labels.to(device))
        right, total = [a + b for a, b in zip(right, found, strict=True)], total + len(labels)
    return ProbedLayers([100 * count / total for count in right], probes.count, total)
