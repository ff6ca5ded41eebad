"""Automatic mixed precision on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.registry import OPTIM_WRAPPERS

DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(MMEngineAmpOptimWrapper):
    """MMEngine's ``AmpOptimWrapper``, which asks for a GPU, on any device that PyTorch's autocast knows.

    Args:
        dtype: ``'bfloat16'``, which needs no loss scaling, or ``'float16'``.
        loss_scale: ``'dynamic'``, or the keywords of :class:`torch.amp.GradScaler`; of no effect in bfloat16.
        **kwargs: As for :class:`mmengine.optim.OptimWrapper`.

    Raises:
        InputError: Another dtype.
    """

    def __init__(self, dtype: str = 'bfloat16', loss_scale: str | dict[str, Any] = 'dynamic', **kwargs: Any) -> None:
        if dtype not in DTYPES:
            raise InputError(f'optim_wrapper.dtype is {dtype!r}; choose one of {", ".join(DTYPES)}')
        OptimWrapper.__init__(self, **kwargs)
        self.cast_dtype = DTYPES[dtype]
        options = loss_scale if isinstance(loss_scale, dict) else {}
        self.loss_scaler = torch.amp.GradScaler(get_device(), enabled=dtype == 'float16', **options)
        self._scale_update_param = None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Forward and loss in ``dtype``, without gradient exchange while gradients accumulate."""
        with OptimWrapper.optim_context(self, model), torch.autocast(get_device(), self.cast_dtype):
            yield
