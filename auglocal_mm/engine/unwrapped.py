"""The model itself, also where several processes train it or test-time augmentation runs it."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> Any:
    """``model``, or the model inside wrappers such as ``MMDistributedDataParallel`` and ``DetTTAModel``."""
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    return inner
