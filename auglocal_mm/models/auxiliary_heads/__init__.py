"""Auxiliary networks: the small heads that give local modules their losses, one local learning method per file."""

from auglocal_mm.models.auxiliary_heads.auglocal_head import AugLocalHead
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.models.auxiliary_heads.convolution_head import ConvolutionHead
from auglocal_mm.models.auxiliary_heads.dgl_head import DGLHead
from auglocal_mm.models.auxiliary_heads.infopro_head import AugLocalInfoProHead, InfoProHead
from auglocal_mm.models.auxiliary_heads.man_head import MANHead
from auglocal_mm.models.auxiliary_heads.predsim_head import PredSimHead

__all__ = [
    'AugLocalHead',
    'AugLocalInfoProHead',
    'AuxiliaryHead',
    'ConvolutionHead',
    'DGLHead',
    'InfoProHead',
    'MANHead',
    'Placement',
    'PredSimHead',
]
