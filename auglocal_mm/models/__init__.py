"""The parts that a config's ``model`` names."""

from auglocal_mm.models.auxiliary_heads import AugLocalHead, AuxiliaryHead, Placement
from auglocal_mm.models.classifiers import ImageClassifier
from auglocal_mm.models.heads import ClassificationHead, LinearHead

__all__ = ['AugLocalHead', 'AuxiliaryHead', 'ClassificationHead', 'ImageClassifier', 'LinearHead', 'Placement']
