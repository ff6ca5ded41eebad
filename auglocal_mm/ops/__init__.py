"""torchvision's compiled kernels in the place of mmcv's, where mmcv has none compiled."""

from auglocal_mm.ops.provide import provide_mmcv_ops

__all__ = ['provide_mmcv_ops']
