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
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of feature maps (N, C, H, W)."""
        return self.fc(features.mean(dim=(2, 3)))
