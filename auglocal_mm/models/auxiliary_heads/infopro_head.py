"""InfoPro: features must predict the label and preserve the image."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import Targets
from auglocal_mm.models.auxiliary_heads.auglocal_head import AugLocalHead
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.models.heads.linear_head import global_average
from auglocal_mm.registry import MODELS


class ImageDecoder(nn.Module):
    """Reconstructs the image from feature maps: up-sampling and two convolutions.

    Args:
        placement: The place of the features in the network.
        width: Channels between the two convolutions.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, placement: Placement, width: int = 12) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(placement.map_size[0], width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
        )
        self.register_buffer('mean', torch.tensor(placement.mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(placement.std).view(3, 1, 1), persistent=False)

    def loss(self, features: Tensor, images: Tensor | None) -> Tensor:
        """Binary cross-entropy between the reconstruction and the image before normalisation.

        Args:
            features: (N, C, H, W).
            images: Normalised, (N, 3, H, W).
        """
        if images is None:
            raise InputError(
                'the reconstruction loss needs Targets.images, which is None; give Targets(labels, images)'
            )
        size = images.shape[2:]
        logits = self.layers(functional.interpolate(features, size, mode='bilinear', align_corners=True))
        targets = ((images * self.std + self.mean) / 255).clamp(0, 1)
        return functional.binary_cross_entropy_with_logits(logits.to(targets.dtype), targets)


@MODELS.register_module()
class InfoProHead(AuxiliaryHead):
    """One convolution and two linear layers, and an :class:`ImageDecoder`.

    *Revisiting Locally Supervised Learning* (Wang et al., ICLR 2021), in its cross-entropy variant, as in AugLocal's
    comparisons.

    Args:
        placement: The place of the head in the network; the model fills it in.
        hidden: Width of the first linear layer.
        loss_weights: Of ``cross_entropy`` and ``reconstruction``, as for :class:`AuxiliaryHead`.
    """

    terms = ('cross_entropy', 'reconstruction')
    reads_images = True

    def __init__(
        self,
        placement: Placement,
        hidden: int = 128,
        loss_weights: Mapping[str, float | Sequence[float]] | None = None,
    ) -> None:
        super().__init__(placement, loss_weights)
        channels, widest = placement.map_size[0], placement.shapes[-1].channels
        widening = 2 * channels <= widest
        width = 2 * channels if widening else channels
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride=2 if widening else 1, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, placement.num_classes))
        self.decoder = ImageDecoder(placement)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        return self.perceptron(global_average(self.layers(features)))

    def extra_losses(self, features: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The reconstruction loss."""
        return {'reconstruction': self.decoder.loss(features, targets.images)}


@MODELS.register_module()
class AugLocalInfoProHead(AugLocalHead):
    """AugLocal's auxiliary network with InfoPro's reconstruction loss; it takes the keys of :class:`AugLocalHead`."""

    terms = ('cross_entropy', 'reconstruction')
    reads_images = True

    def __init__(self, placement: Placement, depth: int, **kwargs: object) -> None:
        super().__init__(placement, depth, **kwargs)  # type: ignore[arg-type]
        self.decoder = ImageDecoder(placement)

    def extra_losses(self, features: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The reconstruction loss."""
        return {'reconstruction': self.decoder.loss(features, targets.images)}
