"""One complete iteration of training, without a runner: by backpropagation, AugLocal, or AugLocal as it was released."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import Tensor

from auglocal_mm.engine.compiled_modules import compile_settings
from auglocal_mm.models import ImageClassifier
from auglocal_mm.registry import HOOKS

Step: TypeAlias = Callable[[dict[str, Tensor]], Any]
"""Takes a batch as the data loader gives it: pre-processing, forward, backward, update."""


def training_step(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, released: bool = False) -> Step:
    """The iteration that trains ``model``: its own, or the one that ``AugLocalHook`` puts in its place.

    Args:
        config: Of the whole training; of its hooks only ``AugLocalHook`` has a part in the iteration.
        model: Where it has no auxiliary heads it is trained by backpropagation.
        optim_wrapper: Around an optimizer of all parameters.
        released: Whether to take :func:`released_step`.
    """
    if released:
        return released_step(model, optim_wrapper)
    if model.auxiliary_heads is not None:
        hooks = [hook for hook in config.get('custom_hooks', []) if hook['type'].endswith('AugLocalHook')]
        # All that the hook asks of a runner.
        runner = SimpleNamespace(model=model, optim_wrapper=optim_wrapper, cfg=config, iter=0, epoch=0)
        HOOKS.build(hooks[0] if hooks else {'type': 'AugLocalHook'}).before_train(runner)
    elif (settings := compile_settings(config)) is not None:
        model.train_step = torch.compile(model.train_step, **settings)  # type: ignore[method-assign]  # as MMEngine does
    return partial(model.train_step, optim_wrapper=optim_wrapper)


def released_step(model: ImageClassifier, optim_wrapper: OptimWrapper) -> Step:
    """The iteration of the paper's code: the losses of all local modules are summed for one backward pass and one update.

    Features are detached at the borders, so that gradients are those of the local step; but all activations and gradients
    live at once.
    """
    modules = model.local_modules()

    def step(data: dict[str, Tensor]) -> Tensor:
        with optim_wrapper.optim_context(model):
            data = model.data_preprocessor(data, True)
            features, losses = data['inputs'], []
            for module in modules:
                features = module.layers(features.detach())
                losses.append(module.head.loss(features, data['data_samples'], data['inputs'])['loss'])  # type: ignore
        total = torch.stack(losses).sum()
        optim_wrapper.update_params(total)
        return total.detach()

    return step


def random_batch(classes: int, batch_size: int, image_size: int) -> dict[str, Tensor]:
    """Images (N, 3, H, W) of bytes and labels (N,) as :func:`auglocal_mm.datasets.collate_images` gives them."""
    images = torch.randint(256, (batch_size, 3, image_size, image_size), dtype=torch.uint8)
    return {'inputs': images, 'data_samples': torch.randint(classes, (batch_size,))}
