"""One complete training iteration without a runner: by backpropagation, AugLocal, or AugLocal as released."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor

from auglocal_mm.local.state import State, Targets
from auglocal_mm.models import ImageClassifier
from auglocal_mm.runtime import Executor, build_executor
from auglocal_mm.runtime.compile import compile_settings

Step: TypeAlias = Callable[[dict[str, Tensor]], Any]
"""Trains on a batch of the data loader: pre-processing, forward, backward, update."""
StepBuilder: TypeAlias = Callable[[Config, ImageClassifier, OptimWrapper], Step]
"""Makes the training step of a model."""


def training_step(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper) -> Step:
    """The iteration that trains ``model``: its own ``train_step``, or that of the executor of ``AugLocalHook``.

    Args:
        config: Config of the training.
        model: The classifier; without auxiliary heads it is trained by backpropagation.
        optim_wrapper: Wrapper of one optimizer, or of one for each local module.
    """
    if model.auxiliary_heads is not None:
        hooks = [hook for hook in config.get('custom_hooks', []) if hook['type'].endswith('AugLocalHook')]
        given = {key: hooks[0][key] for key in ('executor', 'update_every') if hooks and key in hooks[0]}
        return partial(_local_step, model, build_executor(model, optim_wrapper, config, **given))
    if (settings := compile_settings(config)) is not None:
        model.train_step = torch.compile(model.train_step, **settings)  # type: ignore[method-assign]  # as MMEngine does
    return partial(model.train_step, optim_wrapper=optim_wrapper)


def _local_step(model: ImageClassifier, executor: Executor, data: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    data = model.data_preprocessor(data, True)
    results = executor.step(data['inputs'], data['data_samples'])
    executor.iteration += 1
    return results


def released_step(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper) -> Step:
    """The iteration of the paper's code: the losses of all local modules are summed for one backward pass and one update.

    Features are detached at module boundaries, so that the gradients are those of the local step, but all activations and
    gradients are in memory at once.
    """
    modules = model.local_modules()

    def step(data: dict[str, Tensor]) -> Tensor:
        with optim_wrapper.optim_context(model):
            data = model.data_preprocessor(data, True)
            state, targets, losses = State(data['inputs']), Targets(data['data_samples'], data['inputs']), []
            for module in modules:
                state = module(state.detach())
                losses.append(module.loss(state, targets)['loss'])
        total = torch.stack(losses).sum()
        optim_wrapper.update_params(total)
        return total.detach()

    return step


def random_batch(classes: int, batch_size: int, image_size: int) -> dict[str, Tensor]:
    """Random images, uint8 (N, 3, H, W), and labels (N,), in the form of :func:`auglocal_mm.datasets.collate_images`."""
    images = torch.randint(256, (batch_size, 3, image_size, image_size), dtype=torch.uint8)
    return {'inputs': images, 'data_samples': torch.randint(classes, (batch_size,))}
