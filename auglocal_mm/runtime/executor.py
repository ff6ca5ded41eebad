"""The interface of executors, which run the local modules of a model on any devices and in any order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.step import in_turn
from auglocal_mm.private import accumulates_gradients
from auglocal_mm.registry import EXECUTORS
from auglocal_mm.runtime.compile import compile_modules, compile_settings
from auglocal_mm.runtime.optimizers import LocalOptimWrapper, each_wrapper


class Executor(ABC):
    """Trains local modules batch by batch. Every executor gives the same weights as the sequential one.

    Args:
        model: The model of the modules.
        modules: All local modules, in order.
        optim_wrapper: Their optimizers, in the same order as the modules.
    """

    has_all_results = True
    """Whether :meth:`step` returns the results of all modules."""
    trains_in_turn = False
    """Whether :meth:`step` trains only the modules that are due."""
    update_every = 1
    """Number of iterations in which each module is trained once."""
    iteration = 0
    """Index of the current iteration."""

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

    def is_due(self, index: int) -> bool:
        """Whether a module, given its index, is trained in the current iteration."""
        return in_turn(index, self.iteration, self.update_every)

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
    model: Any,
    optim_wrapper: LocalOptimWrapper,
    config: Config,
    executor: Mapping[str, Any] | None = None,
    update_every: int = 1,
) -> Executor:
    """The executor that trains ``model``, its modules compiled if the config has ``compile``.

    Args:
        model: A model with ``local_modules()``.
        optim_wrapper: As built by :class:`LocalOptimWrapperConstructor`.
        config: Config of the training.
        executor: Config of the executor, by default the sequential one.
        update_every: Number of iterations in which each module is trained once.

    Raises:
        InputError: The modules cannot be trained in turn.
    """
    modules, settings = model.local_modules(), compile_settings(config)
    if settings is not None:
        compile_modules(modules, settings)
    parts = {'model': model, 'modules': modules, 'optim_wrapper': optim_wrapper}
    built = EXECUTORS.build({'type': 'SequentialExecutor', **(executor or {}), **parts})
    _check_turns(built, update_every)
    built.update_every = update_every
    return built


def _check_turns(executor: Executor, update_every: int) -> None:
    most = len(executor.modules)
    if not isinstance(update_every, int) or not 1 <= update_every <= most:
        raise InputError(
            f'AugLocalHook.update_every is {update_every!r}; expected 1 (each module learns in every iteration) to {most}, the '
            'number of local modules'
        )
    if update_every == 1:
        return
    wrapper = executor.optim_wrapper
    reasons = {
        type(executor).__name__: not executor.trains_in_turn,
        'optim_wrapper.accumulative_counts': any(map(accumulates_gradients, each_wrapper(wrapper))),
        'optim_wrapper.clip_grad': wrapper.clip is not None,
    }
    for reason, holds in reasons.items():
        if holds:
            raise InputError(
                f'AugLocalHook.update_every is {update_every}, which {reason} does not support; remove either'
            )
