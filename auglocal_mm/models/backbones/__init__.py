"""Primary networks that MMDetection has not."""

from auglocal_mm.models.backbones.cifar_resnet import CIFARResNet
from auglocal_mm.models.backbones.torchvision_backbone import TorchvisionBackbone

__all__ = ['CIFARResNet', 'TorchvisionBackbone']
