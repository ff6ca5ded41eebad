"""Automatic mixed precision on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper
from torch import nn
from torch.optim import SGD, Optimizer

from auglocal_mm.errors import InputError
from auglocal_mm.registry import OPTIM_WRAPPERS

DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(MMEngineAmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper``, which asks for a GPU, on any device that PyTorch's autocast supports.

    Args:
        dtype: ``'bfloat16'``, which needs no loss scaling, or ``'float16'``.
        loss_scale: ``'dynamic'``, the keywords of :class:`torch.amp.GradScaler`, or a fixed number; of no effect in
            bfloat16.
        **kwargs: As for :class:`mmengine.optim.OptimWrapper`.

    Raises:
        InputError: Unknown dtype or loss scale.
    """

    def __init__(
        self, dtype: str = 'bfloat16', loss_scale: str | float | dict[str, Any] = 'dynamic', **kwargs: Any
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f'optim_wrapper.dtype is {dtype!r}; choose one of {", ".join(DTYPES)}')
        OptimWrapper.__init__(self, **kwargs)
        self.cast_dtype = DTYPES[dtype]
        options = _scaling(loss_scale)
        self.loss_scaler = torch.amp.GradScaler(get_device(), enabled=dtype == 'float16', **options)
        self.fixed_scale = None if isinstance(loss_scale, str | dict) else options['init_scale']
        if self.loss_scaler.is_enabled():
            _begin_momentum(self.optimizer)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Forward and loss in ``dtype``, without gradient exchange while gradients accumulate."""
        with OptimWrapper.optim_context(self, model), torch.autocast(get_device(), self.cast_dtype):
            yield

    def step(self, **kwargs: Any) -> None:
        """Updates the parameters with clipped gradients that are no longer scaled, and the scale unless it is fixed."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self.fixed_scale)


def _begin_momentum(optimizer: Optimizer) -> None:
    """Sets the momentum of a fused SGD to zero: PyTorch leaves it uninitialised where the first step overflows."""
    for group in optimizer.param_groups:
        if isinstance(optimizer, SGD) and group['fused'] and group['momentum']:
            for parameter in group['params']:
                optimizer.state[parameter]['momentum_buffer'] = torch.zeros_like(parameter)


def _scaling(loss_scale: str | float | dict[str, Any]) -> dict[str, Any]:
    """The keywords of a loss scaler."""
    match loss_scale:
        case 'dynamic':
            return {}
        case dict():
            return loss_scale
        case float() | int():
            return {'init_scale': float(loss_scale)}
    raise InputError(
        f"optim_wrapper.loss_scale is {loss_scale!r}; expected 'dynamic', a number, or a dict such as dict(init_scale=512.0)"
    )
