"""The interface of executors, which run the local modules of a model on any devices and in any order."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn

from auglocal_mm.local.module import LocalModule
from auglocal_mm.registry import EXECUTORS
from auglocal_mm.runtime.compile import compile_modules, compile_settings
from auglocal_mm.runtime.optimizers import LocalOptimWrapper


class Executor(ABC):
    """Trains local modules batch by batch. Every executor gives the same weights as the sequential one.

    Args:
        model: The model of the modules.
        modules: All local modules, in order.
        optim_wrapper: Their optimizers, in the same order as the modules.
    """

    def __init__(self, model: nn.Module, modules: Sequence[LocalModule], optim_wrapper: LocalOptimWrapper) -> None:
        self.model, self.modules, self.optim_wrapper = model, modules, optim_wrapper

    def context(self) -> AbstractContextManager[None]:
        """The context of forward passes and losses, such as autocast."""
        return next(iter(self.optim_wrapper.values())).optim_context(self.model)

    @abstractmethod
    def step(self, images: Tensor, labels: Any) -> list[dict[str, Tensor]]:
        """One training iteration.

        Args:
            images: Preprocessed images (N, 3, H, W).
            labels: (N,), or other targets that the heads' losses take.

        Returns:
            For each module ``'loss'`` and diagnostics, detached and still on the device.
        """


def build_executor(
    model: Any, optim_wrapper: LocalOptimWrapper, config: Config, executor: Mapping[str, Any] | None = None
) -> Executor:
    """The executor that trains ``model``, its modules compiled if the config has ``compile``.

    Args:
        model: A model with ``local_modules()``.
        optim_wrapper: As built by :class:`LocalOptimWrapperConstructor`.
        config: Config of the training.
        executor: Config of the executor, by default the sequential one.
    """
    modules, settings = model.local_modules(), compile_settings(config)
    if settings is not None:
        compile_modules(modules, settings)
    parts = {'model': model, 'modules': modules, 'optim_wrapper': optim_wrapper}
    return EXECUTORS.build({'type': 'SequentialExecutor', **(executor or {}), **parts})
