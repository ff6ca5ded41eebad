"""The interface of executors, which run the local modules of a model on any devices and in any order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
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

    has_all_results = True
    """Whether :meth:`step` returns the results of all modules."""

    def __init__(self, model: nn.Module, modules: Sequence[LocalModule], optim_wrapper: LocalOptimWrapper) -> None:
        self.model, self.modules, self.optim_wrapper = model, modules, optim_wrapper

    @contextmanager
    def context(self, seed: int, index: int) -> Iterator[None]:
        """The context of a module's forward pass and loss: autocast, and random numbers of its own.

        Dropout draws the same numbers wherever, and after whichever other module, the module runs.

        Args:
            seed: Of the iteration.
            index: Of the module.
        """
        torch.manual_seed(mixed_seed(seed, index))
        with next(iter(self.optim_wrapper.values())).optim_context(self.model):
            yield

    def expect(self, iterations: int) -> None:  # noqa: B027  (most executors need not know)
        """Called before so many iterations without an interruption, such as an epoch."""

    @abstractmethod
    def step(self, images: Tensor, labels: Any, seed: int = 0) -> list[dict[str, Tensor]]:
        """One training iteration.

        Args:
            images: Preprocessed images (N, 3, H, W).
            labels: (N,), or other targets that the heads' losses take.
            seed: Of the random numbers of this iteration, such as those of dropout.

        Returns:
            For each module ``'loss'`` and diagnostics, detached and still on the device.
        """


def mixed_seed(*numbers: int) -> int:
    """A seed that depends on all of ``numbers``, each of at least 0."""
    (mixed,) = np.random.SeedSequence(numbers).generate_state(1)
    return int(mixed)


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
