"""torchvision's compiled kernels in place of mmcv's, if mmcv has no compiled ops."""

from auglocal_mm.ops.provide import provide_mmcv_ops

__all__ = ['provide_mmcv_ops']
