"""The parts of a config's ``model``."""

from auglocal_mm import backbones
from auglocal_mm.models import auxiliary_heads, classifiers, heads
from auglocal_mm.models.auxiliary_heads import AuxiliaryHead, Placement
from auglocal_mm.models.classifiers import ImageClassifier

__all__ = ['AuxiliaryHead', 'ImageClassifier', 'Placement', 'auxiliary_heads', 'backbones', 'classifiers', 'heads']
