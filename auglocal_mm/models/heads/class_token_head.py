"""The classifier of a vision transformer."""

from torch import Tensor, nn

from auglocal_mm.models.heads.classification_head import ClassificationHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class ClassTokenHead(ClassificationHead):
    """A LayerNorm and one linear layer on the class token.

    Args:
        in_channels: Width C of the tokens.
        num_classes: Number of classes.
        norm: Whether to normalise the token first; after a transformer's final norm it already is.
    """

    def __init__(self, in_channels: int, num_classes: int, norm: bool = False) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.norm = nn.LayerNorm(in_channels) if norm else nn.Identity()
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of tokens (N, T, C), the class token first."""
        return self.fc(self.norm(features[:, 0]))
