"""Classifiers on feature maps."""

from auglocal_mm.models.heads.classification_head import ClassificationHead
from auglocal_mm.models.heads.linear_head import LinearHead
from auglocal_mm.models.heads.vgg_head import PooledPerceptronHead, VGGHead

__all__ = ['ClassificationHead', 'LinearHead', 'PooledPerceptronHead', 'VGGHead']
