"""Pretrains backbones layer by layer with AugLocal local learning and compares them with backpropagation on COCO."""

from auglocal_mm.ops import provide_mmcv_ops

__version__ = '0.1.0'

provide_mmcv_ops()  # here, so that `import auglocal_mm` before `import mmdet` is all that a user has to know
