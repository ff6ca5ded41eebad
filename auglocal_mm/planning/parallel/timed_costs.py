"""The costs of a network with times in place of FLOPs, so that the search for plans finds the fastest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.local.state import State, Targets
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.auxiliary_heads import AuxiliaryHead
from auglocal_mm.planning.costs.layer_cost import LayerCost, LayerMeter
from auglocal_mm.planning.costs.layer_seconds import NetworkSeconds, PassSeconds, build_head
from auglocal_mm.planning.costs.network_cost import NetworkCosts

NANOSECONDS = 1e9
"""Times are integers in nanoseconds for one image, as FLOPs are."""
UNIFORM = 1
"""What stands for the depth of heads that have none."""


def timed_costs(costs: NetworkCosts, seconds: NetworkSeconds, names: Mapping[int, str]) -> NetworkCosts:
    """``costs`` with nanoseconds for one image in place of FLOPs.

    The time of a head is divided among its layers as its FLOPs are.

    Args:
        costs: Costs of the network and of the candidate heads.
        seconds: Times of the same network.
        names: Depth of the heads -> their name in ``seconds``.
    """
    scale = NANOSECONDS / seconds.batch_size
    layers = [
        _timed(cost, whole, start, scale)
        for cost, whole, start in zip(costs.layers, seconds.layers, seconds.starts, strict=True)
    ]
    (classifier,) = _shared([costs.classifier], seconds.classifier, scale)
    heads = {
        (index, depth): _shared(parts, seconds.heads[index, names[depth]], scale)
        for (index, depth), parts in costs.heads.items()
        if depth in names
    }
    return replace(costs, layers=layers, classifier=classifier, heads=heads)


def costs_at_speed(costs: NetworkCosts, flops_per_second: float) -> NetworkCosts:
    """``costs`` with nanoseconds for one image in place of FLOPs, on a device of a given speed."""
    scale = NANOSECONDS / flops_per_second

    def timed(cost: LayerCost) -> LayerCost:
        forward, backward, alone = (
            round(each * scale) for each in (cost.forward, cost.backward, cost.backward_without_input)
        )
        return replace(cost, forward=forward, backward=backward, backward_without_input=alone)

    heads = {place: [timed(part) for part in parts] for place, parts in costs.heads.items()}
    return replace(
        costs, layers=[timed(layer) for layer in costs.layers], classifier=timed(costs.classifier), heads=heads
    )


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
        built = build_head(model, layers, index, head)
        part = _Loss(built, (3, image_size, image_size), model.head.num_classes)
        cost = meter.measure(index, partial(_itself, part), boundary.output_shape, boundary.output_dtype)
        heads[index, UNIFORM] = [cost]
    return replace(costs, heads=heads)


def _itself(module: nn.Module) -> nn.Module:
    return module


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


def _timed(cost: LayerCost, whole: PassSeconds, start: PassSeconds, scale: float) -> LayerCost:
    forward, backward, alone = (round(each * scale) for each in (whole.forward, whole.backward, start.backward))
    return replace(cost, forward=forward, backward=backward, backward_without_input=alone)


def _shared(parts: Sequence[LayerCost], seconds: PassSeconds, scale: float) -> list[LayerCost]:
    forward, backward = (sum(getattr(part, name) for part in parts) for name in ('forward', 'backward'))
    timed = []
    for part in parts:
        share = PassSeconds(
            seconds.forward * (part.forward / forward if forward else 1 / len(parts)),
            seconds.backward * (part.backward / backward if backward else 1 / len(parts)),
        )
        timed.append(_timed(part, share, share, scale))
    return timed
