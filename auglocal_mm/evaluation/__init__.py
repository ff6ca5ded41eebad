"""Metrics of classification and detection."""

from auglocal_mm.evaluation.accuracy import Accuracy
from auglocal_mm.evaluation.coco_metric import CocoMetric

__all__ = ['Accuracy', 'CocoMetric']
