"""Networks that are pretrained on image labels."""

from auglocal_mm.models.classifiers.image_classifier import ImageClassifier

__all__ = ['ImageClassifier']
