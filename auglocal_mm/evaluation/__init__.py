"""Metrics of classification."""

from auglocal_mm.evaluation.accuracy import Accuracy

__all__ = ['Accuracy']
