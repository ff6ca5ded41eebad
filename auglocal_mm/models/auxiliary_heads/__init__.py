"""Auxiliary networks: the small heads that give local modules their losses, one local rule per file."""

from auglocal_mm.models.auxiliary_heads.auglocal_head import AugLocalHead
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement

__all__ = ['AugLocalHead', 'AuxiliaryHead', 'Placement']
