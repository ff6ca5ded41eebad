"""Pretrains backbones layer by layer with AugLocal local learning and compares them with backpropagation on COCO."""

from auglocal_mm.ops import provide_mmcv_ops

__version__ = '0.1.0'

provide_mmcv_ops()  # PyTorch calls it too, but not in a checkout that is not installed
