"""Classifiers for tests of heads and analyses, built without data where that is enough, and a detector that finds nothing."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from auglocal_mm.models import ImageClassifier
from auglocal_mm.registry import MODELS


def classifier(
    backbone: dict[str, Any], auxiliary_heads: dict[str, Any] | None = None, device: str = 'cpu', **settings: Any
) -> ImageClassifier:
    """An :class:`ImageClassifier` of ten classes on images of 32 pixels, unless said otherwise."""
    init_default_scope('auglocal_mm')
    head = dict(type='LinearHead', num_classes=10)
    config = dict(type='ImageClassifier', backbone=backbone, head=head, image_size=32)
    if auxiliary_heads is not None:
        config['auxiliary_heads'] = auxiliary_heads
    with torch.device(device):
        return MODELS.build({**config, **settings})


def cifar_resnet(depth: int = 20) -> dict[str, Any]:
    return dict(type='CIFARResNet', depth=depth)


def head_sizes(model: ImageClassifier) -> list[int]:
    """Parameters of each auxiliary head."""
    assert model.auxiliary_heads is not None
    return [sum(parameter.numel() for parameter in head.parameters()) for head in model.auxiliary_heads]


class ToyDetector(BaseModel):
    """One weight, and nothing found."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: torch.Tensor, mode: str) -> Any:
        return {'loss': self.weight.sum()} if mode == 'loss' else [{}] * len(inputs)
