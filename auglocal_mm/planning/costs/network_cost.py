"""The costs of every layer of a network and of every candidate auxiliary network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from auglocal_mm.local.blueprint import head_blueprint
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.auxiliary_heads.auglocal_head import classifier_settings
from auglocal_mm.planning.costs.layer_cost import LayerCost, LayerMeter, Logits
from auglocal_mm.planning.costs.structure import structure
from auglocal_mm.planning.plan import AUGLOCAL
from auglocal_mm.registry import MODELS

FOLLOWED = ('selection', 'rounding', 'downsampling', 'classifier', 'width', 'pooling', 'batch_share')
"""Keys of ``AugLocalHead`` that a plan takes from the config."""


@dataclass(frozen=True)
class NetworkCosts:
    """The input of the search.

    Attributes:
        names: Names of the local layers.
        image: Bytes of one image.
        layers: Cost of each local layer.
        classifier: Cost of the primary classifier.
        heads: Index of a local layer and depth d -> costs of the layers of the head after it, the classifier last.
        kind: Class of the heads.
        timed: Whether costs are nanoseconds instead of FLOPs.
        reads_images: Whether the heads read the images too.
    """

    names: Sequence[str]
    image: float
    layers: Sequence[LayerCost]
    classifier: LayerCost
    heads: dict[tuple[int, int], list[LayerCost]]
    kind: str = AUGLOCAL
    timed: bool = False
    reads_images: bool = False

    def memory_before(self, layer: int) -> float:
        """Bytes in memory before a local layer, given its index: the image, its input, and taps of the layers before."""
        taps = sum(each.output for each in self.layers[: max(layer - 1, 0)] if each.tapped)
        return self.image + taps + (self.layers[layer - 1].output if layer else 0.0)

    def parts(self, first: int, last: int, depth: int) -> tuple[list[LayerCost], list[LayerCost]]:
        """The costs of the layers of a local module and of its head; depth 0 is the primary classifier."""
        head = self.heads[last, depth] if depth else [self.classifier]
        return list(self.layers[first : last + 1]), head


def measure_network(
    model: ImageClassifier,
    image_size: int,
    depths: Sequence[int],
    amp: bool = False,
    head: Mapping[str, Any] | None = None,
) -> NetworkCosts:
    """Measures a classifier and AugLocal's heads of each depth after each of its local layers but the last.

    Args:
        model: The classifier; heads that it already has are not measured.
        image_size: Side of the images in pixels.
        depths: The depths d of the heads.
        amp: Whether forward runs in bfloat16 autocast.
        head: Config of an :class:`auglocal_mm.models.auxiliary_heads.AugLocalHead`, whose keys in ``FOLLOWED`` are used.
    """
    meter = LayerMeter(amp)
    settings = {key: value for key, value in (head or {}).items() if key in FOLLOWED}
    layers: list[LayerCost] = []
    shape: tuple[int, ...] = (3, image_size, image_size)
    dtype = torch.float32
    taps: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
    for layer in model.layers:
        cost = meter.measure(structure(layer.module), partial(_itself, layer.module), shape, dtype)
        layers.append(replace(cost, tapped=layer.tap is not None))
        shape, dtype = cost.output_shape, cost.output_dtype
        taps |= {layer.tap: (shape, dtype)} if layer.tap else {}
    classifier = meter.measure(structure(model.head), partial(Logits, model.head), shape, dtype, taps)
    heads = {
        (index, depth): _head(model, meter, layers, index, depth, settings)
        for index in range(len(layers) - 1)
        for depth in depths
        if depth <= len(layers)
    }
    names = [layer.name for layer in model.layers]
    return NetworkCosts(names, 3 * image_size**2 * 4.0, layers, classifier, heads)


def _head(
    model: ImageClassifier,
    meter: LayerMeter,
    layers: Sequence[LayerCost],
    index: int,
    depth: int,
    settings: Mapping[str, Any],
) -> list[LayerCost]:
    """The costs of the layers of the head of ``depth`` after a local layer, from its blueprint."""
    options = {key: value for key, value in settings.items() if key not in ('classifier', 'batch_share')}
    blueprint = head_blueprint(model.shapes, index + 1, depth - 1, **options)
    boundary = layers[index]
    shape, dtype, modules, costs = boundary.output_shape, boundary.output_dtype, [x.module for x in model.layers], []
    for copied in blueprint.layers:
        key = (structure(modules[copied.source - 1]), copied.stride, copied.pool, copied.width, copied.pooling)
        costs.append(meter.measure(key, partial(copied.build, modules), shape, dtype))
        shape, dtype = costs[-1].output_shape, costs[-1].output_dtype
    sizes = {'in_channels': blueprint.channels, 'num_classes': model.head.num_classes}
    classifier = classifier_settings(settings.get('classifier'), model.shapes[index]) | sizes
    costs.append(meter.measure(str(classifier), partial(MODELS.build, classifier), shape, dtype))
    return [cost.of_share(settings.get('batch_share', 1.0)) for cost in costs]


def _itself(module: nn.Module) -> nn.Module:
    return module
