"""Backbones as chains of local layers: adapters for any backbone, and networks that MMDetection does not have."""

from auglocal_mm.backbones.adapter import BackboneAdapter, LayerSpec, adapt
from auglocal_mm.backbones.cifar_resnet import CIFARResNet
from auglocal_mm.backbones.torchvision import TorchvisionBackbone

__all__ = ['BackboneAdapter', 'CIFARResNet', 'LayerSpec', 'TorchvisionBackbone', 'adapt']
