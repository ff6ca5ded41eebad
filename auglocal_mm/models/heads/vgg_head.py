"""Classifiers of VGGs and of their auxiliary networks."""

from torch import Tensor, nn
from torch.nn import functional

from auglocal_mm.models.heads.classification_head import ClassificationHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class VGGHead(ClassificationHead):
    """Maps pooled to a fixed size and a three-layer perceptron with dropout, as in torchvision's VGGs.

    Args:
        in_channels: Width C of the feature maps.
        num_classes: Number of classes.
        pooled: Side of the pooled maps.
        hidden: Width of the two hidden layers.
        dropout: Dropout probability after each hidden layer.
    """

    def __init__(
        self, in_channels: int, num_classes: int, pooled: int = 7, hidden: int = 4096, dropout: float = 0.5
    ) -> None:
        super().__init__(init_cfg=dict(type='Normal', layer='Linear', std=0.01))
        self.num_classes = num_classes
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(
            nn.Linear(in_channels * pooled**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of feature maps (N, C, H, W)."""
        return self.classifier(self.avgpool(features).flatten(1))


@MODELS.register_module()
class PooledPerceptronHead(ClassificationHead):
    """The flattened maps average-pooled to ``hidden`` values, and a three-layer perceptron with BatchNorm.

    The released code puts it after the copied layers of a VGG's auxiliary network.

    Args:
        in_channels: Width of the feature maps, unused here.
        num_classes: Number of classes.
        hidden: Length of the pooled vector and width of the hidden layers.
    """

    def __init__(self, in_channels: int, num_classes: int, hidden: int = 512) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.hidden = hidden
        self.classifier = nn.Sequential(*_hidden(hidden), *_hidden(hidden), nn.Linear(hidden, num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of feature maps (N, C, H, W)."""
        vector = functional.adaptive_avg_pool1d(features.flatten(1)[:, None], self.hidden)
        return self.classifier(vector[:, 0])


def _hidden(width: int) -> tuple[nn.Module, ...]:
    return nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
