"""Classifiers of feature maps and of tokens."""

from auglocal_mm.models.heads.class_token_head import ClassTokenHead
from auglocal_mm.models.heads.classification_head import ClassificationHead
from auglocal_mm.models.heads.linear_head import LinearHead
from auglocal_mm.models.heads.vgg_head import PooledPerceptronHead, VGGHead

__all__ = ['ClassTokenHead', 'ClassificationHead', 'LinearHead', 'PooledPerceptronHead', 'VGGHead']
