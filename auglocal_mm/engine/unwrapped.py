"""The model itself, also where several processes train it."""

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> Any:
    """``model``, or what a wrapper such as ``MMDistributedDataParallel`` holds."""
    return model.module if is_model_wrapper(model) else model
