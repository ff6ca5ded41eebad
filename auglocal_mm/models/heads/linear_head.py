"""The classifier of a ResNet."""

from torch import Tensor, nn

from auglocal_mm.models.heads.classification_head import ClassificationHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class LinearHead(ClassificationHead):
    """Global average pooling and one linear layer, named ``fc`` as in torchvision's ResNets.

    Args:
        in_channels: Width C of the feature maps.
        num_classes: Number of classes.
        norm: Whether to insert a BatchNorm between them.
    """

    def __init__(self, in_channels: int, num_classes: int, norm: bool = False) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.norm = nn.BatchNorm1d(in_channels) if norm else nn.Identity()
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of feature maps (N, C, H, W)."""
        return self.fc(self.norm(global_average(features)))


def global_average(maps: Tensor) -> Tensor:
    """The mean (N, C) of each channel of maps (N, C, H, W)."""
    return maps.mean(dim=(2, 3))
