"""Optimizer wrappers."""

from auglocal_mm.engine.optim_wrappers.amp_optim_wrapper import AmpOptimWrapper

__all__ = ['AmpOptimWrapper']
