"""The costs of every layer of a network and of every auxiliary network that it may get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from auglocal_mm.auxiliary_depth import downsampling_strides, select_layers, widening_strides
from auglocal_mm.layer_copy import copy_layer
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.layer_cost import LayerCost, LayerMeter
from auglocal_mm.registry import MODELS


@dataclass(frozen=True)
class NetworkCosts:
    """All that the search needs to know.

    Attributes:
        names: Of the local layers.
        image: Bytes of one image.
        layers: Cost of each local layer.
        classifier: Cost of the primary classifier.
        heads: By local layer (counted from 1) and depth d: costs of the head's layers, the classifier last.
    """

    names: Sequence[str]
    image: float
    layers: Sequence[LayerCost]
    classifier: LayerCost
    heads: dict[tuple[int, int], list[LayerCost]]

    def held_before(self, layer: int) -> float:
        """Bytes of the input of a local layer, counted from 0."""
        return self.layers[layer - 1].output if layer else self.image

    def parts(self, first: int, last: int, depth: int) -> tuple[list[LayerCost], list[LayerCost]]:
        """The layers of a local module and those of its head; depth 0 stands for the primary classifier."""
        head = self.heads[last + 1, depth] if depth else [self.classifier]
        return list(self.layers[first : last + 1]), head


def measure_network(
    model: ImageClassifier,
    image_size: int,
    depths: Sequence[int],
    amp: bool = False,
    rule: Mapping[str, Any] | None = None,
) -> NetworkCosts:
    """Measures a classifier and AugLocal's heads of each depth behind each of its local layers but the last.

    Args:
        model: Its local layers are measured; heads that it has already are not.
        image_size: Side of the images.
        depths: The depths d of the heads.
        amp: Whether forward runs in bfloat16 autocast.
        rule: Config of an :class:`auglocal_mm.models.auxiliary_heads.AugLocalHead`; of its keys ``selection``, ``rounding``,
            ``downsampling`` and ``classifier`` are followed.
    """
    meter = LayerMeter(amp)
    layers: list[LayerCost] = []
    shape: tuple[int, ...] = (3, image_size, image_size)
    dtype = torch.float32
    for layer in model.layers:
        layers.append(meter.measure(repr(layer.module), partial(_itself, layer.module), shape, dtype))
        shape, dtype = layers[-1].output_shape, layers[-1].output_dtype
    classifier = meter.measure(repr(model.head), partial(_itself, model.head), shape, dtype)
    heads = {
        (number, depth): _head(model, meter, layers, number, depth, rule or {})
        for number in range(1, len(layers))
        for depth in depths
        if depth <= len(layers)
    }
    names = [layer.name for layer in model.layers]
    return NetworkCosts(names, 3 * image_size**2 * 4.0, layers, classifier, heads)


def _head(
    model: ImageClassifier,
    meter: LayerMeter,
    layers: Sequence[LayerCost],
    number: int,
    depth: int,
    rule: Mapping[str, Any],
) -> list[LayerCost]:
    selected = select_layers(
        number, len(layers), depth - 1, rule.get('selection', 'uniform'), rule.get('rounding', 'half_even')
    )
    shapes = [layers[each - 1].output_shape for each in selected]
    border = layers[number - 1]
    shape, dtype, pool = border.output_shape, border.output_dtype, rule.get('downsampling') == 'max_pool'
    if pool:
        strides = widening_strides(shape[0], [channels for channels, *_ in shapes])
    else:
        strides = downsampling_strides(shape[1], [side for _, side, *_ in shapes])
    costs = []
    for each, stride in zip(selected, strides, strict=True):
        source = model.layers[each - 1].module
        build = partial(copy_layer, source, shape[0], stride, pool)
        costs.append(meter.measure((repr(source), stride), build, shape, dtype))
        shape, dtype = costs[-1].output_shape, costs[-1].output_dtype
    classifier = {'type': 'LinearHead', **rule.get('classifier', {}), 'in_channels': shape[0]}
    build = partial(MODELS.build, {**classifier, 'num_classes': model.head.num_classes})
    costs.append(meter.measure(('classifier', shape[0]), build, shape, dtype))
    return costs


def _itself(module: nn.Module) -> nn.Module:
    return module
