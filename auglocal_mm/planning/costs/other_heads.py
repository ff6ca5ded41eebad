"""The costs of auxiliary heads that are not AugLocal's."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.local.state import State, Targets
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.auxiliary_heads import AuxiliaryHead
from auglocal_mm.planning.costs.layer_cost import LayerMeter
from auglocal_mm.planning.costs.layer_seconds import build_head, head_key
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.registry import MODELS

UNIFORM = 1
"""What stands for the depth of heads that have none."""


def with_heads(
    costs: NetworkCosts, model: ImageClassifier, image_size: int, head: Mapping[str, Any], amp: bool = False
) -> NetworkCosts:
    """``costs`` with heads of another kind, each of which saves all that its backward pass needs.

    Args:
        costs: Costs of the network.
        model: The network.
        image_size: Side of the images in pixels.
        head: Config of the heads, such as ``dict(type='DGLHead')``.
        amp: Whether forward runs in bfloat16 autocast.
    """
    meter, layers = LayerMeter(amp), list(model.layers)
    heads = {}
    for index, boundary in enumerate(costs.layers[:-1]):
        built = partial(build_head, model, layers, index, head)
        part = partial(_loss_layer, built, (3, image_size, image_size), model.head.num_classes)
        cost = meter.measure(head_key(head, built), part, boundary.output_shape, boundary.output_dtype)
        heads[index, UNIFORM] = [cost]
    return replace(costs, heads=heads, kind=head['type'], reads_images=MODELS.get(head['type']).reads_images)


def _loss_layer(build: Callable[[], AuxiliaryHead], image: tuple[int, ...], classes: int) -> nn.Module:
    return _Loss(build(), image, classes)


class _Loss(nn.Module):
    """The loss of a head as a layer, for every image."""

    def __init__(self, head: AuxiliaryHead, image: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.head, self.image, self.classes = head, image, classes

    def forward(self, features: Tensor) -> Tensor:
        labels = torch.zeros(len(features), dtype=torch.long)
        images = torch.zeros(len(features), *self.image)
        loss = self.head.loss(State(features), Targets(labels, images))['loss']
        return loss.expand(len(features), 1).contiguous()
