"""One optimizer for each local module.

They are in MMEngine's ``OptimWrapperDict``, so that schedulers, resuming and logs work as in MMEngine. Each module's
gradients are clipped by their own norm, and an overflow in float16 skips the step of one module only.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.optim import ApexOptimWrapper, DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule
from auglocal_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from auglocal_mm.runtime.gradient_average import GradientAverage
from auglocal_mm.runtime.grid import num_replicas
from auglocal_mm.runtime.memory_order import keep_memory_order

Clip = Callable[[Sequence[nn.Parameter]], Tensor | None]
"""Clips gradients and returns their norm before clipping; ``None`` if it clips by value."""


class LocalOptimWrapper(OptimWrapperDict):
    """The optimizer wrappers of all local modules, by module name.

    Args:
        wrappers: In the order of the modules; they do not clip gradients themselves.
        clip: Clips the gradients of one module.

    Attributes:
        norms: Of each module's gradients before clipping, by update.
        elsewhere: States of the wrappers whose modules another process trains, while a checkpoint is written.
    """

    def __init__(self, wrappers: Mapping[str, OptimWrapper], clip: Clip | None = None) -> None:
        super().__init__(**wrappers)
        self.clip = clip
        self.norms: list[list[Tensor]] = [[] for _ in wrappers]
        self.elsewhere: dict[str, dict[str, Any]] = {}
        self.waiting: tuple[int, list[nn.Parameter], GradientAverage | None] | None = None

    def update_module(self, index: int, loss: Tensor) -> None:
        """Runs backward from a module's loss; then, unless gradients accumulate, steps its parameters and frees its gradients.

        With several processes the module's gradients are averaged first, so that each process takes the step of the whole
        batch. They are averaged while backward computes others and while the next module runs; the step follows then, or in
        :meth:`finish_update`.
        """
        wrapper = list(self.values())[index]
        parameters = [p for group in wrapper.param_groups for p in group['params']]
        average = GradientAverage(parameters) if num_replicas() > 1 and wrapper.should_sync() else None
        with average.during_backward() if average else nullcontext():
            wrapper.backward(wrapper.scale_loss(loss))
        self.finish_update()  # of the module before
        if not wrapper.should_update():
            return
        self.waiting = index, [p for p in parameters if p.grad is not None], average
        if average is None:
            self.finish_update()

    def finish_update(self) -> None:
        """Steps the module whose gradients are being averaged, if there is one; called at the end of every iteration."""
        if self.waiting is None:
            return
        (index, parameters, average), self.waiting = self.waiting, None
        wrapper = list(self.values())[index]
        if average:
            average.wait()
        if self.clip:
            if hasattr(wrapper, 'loss_scaler'):
                wrapper.loss_scaler.unscale_(wrapper.optimizer)
            norm = self.clip(parameters)
            if norm is not None:
                self.norms[index].append(norm)
        wrapper.step()
        wrapper.zero_grad()

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """The state of each wrapper by the name of its module."""
        return {**super().state_dict(), **self.elsewhere}

    def take_norms(self) -> Tensor:
        """Norms of each module's gradients before clipping, since the last call: (updates, K), on the CPU.

        Empty if gradients are not clipped by norm. Norms stay on the device until this call, so that updates do not wait
        for it.
        """
        taken, self.norms = self.norms, [[] for _ in self.norms]
        return torch.stack([torch.stack(norms) for norms in taken], dim=1).cpu() if all(taken) else torch.zeros(0, 0)

    def initialize_count_status(self, model: nn.Module, cur_iter: int, max_iters: int) -> None:
        """Tells each wrapper the progress of training; only the first gets the model, so that MMEngine warns only once."""
        for index, wrapper in enumerate(self.values()):
            wrapper.initialize_count_status(nn.Identity() if index else model, cur_iter, max_iters)

    def get_lr(self) -> dict[str, list[float]]:
        """The learning rate for the log: that of the first module, since all have the same schedule."""
        return next(iter(self.values())).get_lr()

    def get_momentum(self) -> dict[str, list[float]]:
        """The momentum for the log: that of the first module."""
        return next(iter(self.values())).get_momentum()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LocalOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Builds one optimizer wrapper for each local module; for backpropagation a single one, as MMEngine does.

    Parameter groups are those of MMEngine's constructor; ``paramwise_cfg`` uses the names in the whole model.

    Raises:
        InputError: The wrapper is Apex's, or a parameter belongs to no local module or to several.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Builds the wrapper or wrappers for ``model``, possibly wrapped in ``DistributedDataParallel``."""
        config = copy.deepcopy(
            {'type': 'OptimWrapper', **self.optim_wrapper_cfg}
        )  # building a wrapper changes its config
        whole = super().__call__(model)
        network: Any = getattr(model, 'module', model)
        if getattr(network, 'auxiliary_heads', None) is None:
            keep_memory_order(whole.optimizer)
            return whole
        if isinstance(whole, ApexOptimWrapper):
            raise InputError(
                'optim_wrapper.type is ApexOptimWrapper, which does not support one optimizer per local module; expected '
                'OptimWrapper or AmpOptimWrapper'
            )
        modules = network.local_modules()
        _check_ownership(whole.optimizer, modules)
        wrappers = {}
        for module in modules:
            optimizer = self._optimizer_of(module, whole.optimizer)
            wrapper = OPTIM_WRAPPERS.build(copy.deepcopy(config), default_args={'optimizer': optimizer})
            # MMEngine would read each norm from the device immediately, to log it.
            wrapper.clip_grad_kwargs = None
            wrappers[module.name] = wrapper
        return LocalOptimWrapper(wrappers, _clip(whole))

    def _optimizer_of(self, module: LocalModule, whole: Optimizer) -> Optimizer:
        own = set(module.parameters())
        groups = [{**group, 'params': [p for p in group['params'] if p in own]} for group in whole.param_groups]
        options = {key: value for key, value in self.optimizer_cfg.items() if key != 'type'}
        optimizer = type(whole)([group for group in groups if group['params']], **options)
        keep_memory_order(optimizer)
        return optimizer


def each_wrapper(optim_wrapper: OptimWrapper) -> list[OptimWrapper]:
    """The optimizer wrappers of all local modules, or the only one of a model."""
    return list(optim_wrapper.values()) if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]


def _clip(wrapper: OptimWrapper) -> Clip | None:
    settings: Mapping[str, Any] | None = wrapper.clip_grad_kwargs
    return (lambda parameters: wrapper.clip_func(parameters, **settings)) if settings else None


def _check_ownership(optimizer: Optimizer, modules: Sequence[LocalModule]) -> None:
    owners: dict[nn.Parameter, str] = {}
    for module in modules:
        for parameter in module.parameters():
            if owners.setdefault(parameter, module.name) != module.name:
                raise InputError(
                    f'the local modules {owners[parameter]} and {module.name} share a parameter, through which a gradient '
                    'would cross the module boundary; put the layers that share it in one module (partition.split_points)'
                )
    groups = [parameter for group in optimizer.param_groups for parameter in group['params']]
    unowned = [tuple(p.shape) for p in groups if p.requires_grad and p not in owners]
    if unowned:
        raise InputError(
            f'{len(unowned)} trainable parameters belong to no local module (the first has shape {unowned[0]}); add their '
            'layers to partition.chain'
        )
