"""Backbones as chains of local layers: what MMDetection lacks, and how any backbone is partitioned."""

from auglocal_mm.backbones.adapter import BackboneAdapter, LayerSpec, adapt
from auglocal_mm.backbones.cifar_resnet import CIFARResNet
from auglocal_mm.backbones.torchvision import TorchvisionBackbone

__all__ = ['BackboneAdapter', 'CIFARResNet', 'LayerSpec', 'TorchvisionBackbone', 'adapt']
