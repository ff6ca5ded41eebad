"""Networks to pretrain on image labels."""

from auglocal_mm.models.classifiers.image_classifier import ImageClassifier, is_classifier

__all__ = ['ImageClassifier', 'is_classifier']
