"""Analyses trained classifiers layer by layer."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from torch import Tensor

from auglocal_mm.analysis.cka import MinibatchCKA
from auglocal_mm.analysis.linear_probe import LinearProbes, probe_accuracy
from auglocal_mm.analysis.trained_model import layer_outputs, pooled_outputs
from auglocal_mm.errors import InputError
from auglocal_mm.models import ImageClassifier

Batches: TypeAlias = Iterable[tuple[Tensor, Tensor]]
"""Images, uint8 (N, 3, H, W), with labels (N,), as :func:`labelled_batches` yields them."""


class ProbedLayers(NamedTuple):
    """The results of linear probes.

    Attributes:
        top1: Accuracy of each local layer's probe in percent.
        fitted_on: Number of images on which the probes are fitted.
        measured_on: Number of images on which the accuracies are measured.
    """

    top1: list[float]
    fitted_on: int
    measured_on: int


def layer_cka(first: ImageClassifier, second: ImageClassifier, batches: Batches) -> Tensor:
    """Linear CKA between every local layer of one classifier and every local layer of another.

    Args:
        first: A classifier, which normalises the images as in its own training.
        second: Another classifier, of any depth.
        batches: Images and labels. Batches of fewer than four images, for which the estimator is undefined, are skipped.

    Returns:
        float64 of shape (layers of the first, layers of the second).

    Raises:
        InputError: No batch is large enough, or an output is not finite.
    """
    cka = MinibatchCKA(len(first.layers), len(second.layers))
    for images, _ in batches:
        if len(images) >= MinibatchCKA.smallest_batch:
            cka.update(*(list(layer_outputs(model, images)) for model in (first, second)))
    values = cka.result()
    if not values.isfinite().all():
        raise InputError(
            'CKA is not finite, expected finite values: a network has weights that are not finite, or a layer whose '
            'outputs are all zero; give another checkpoint'
        )
    return values


def probe_layers(
    model: ImageClassifier, fitted_on: Batches, measured_on: Batches, penalty: float = 1e-3
) -> ProbedLayers:
    """Measures how linearly separable the classes are at every local layer of a frozen classifier.

    Args:
        model: The classifier.
        fitted_on: Images on which all probes are fitted, in one pass.
        measured_on: Other images.
        penalty: Penalty of the ridge regression, see :class:`LinearProbes`.

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
