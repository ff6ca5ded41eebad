"""A local module's share of the one optimizer: the same state, but only the module's parameters."""

import copy

from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.optim import Optimizer

from auglocal_mm.engine.memory_order import as_rows
from auglocal_mm.partition import LocalModule


class OptimizerShare:
    """A local module's share of an optimizer, wrapped like the whole.

    Args:
        optim_wrapper: Around the whole optimizer.
        module: Whose parameters are stepped.

    Attributes:
        norms: Of the gradients at each step before they were clipped; empty where they are not clipped by norm.
    """

    def __init__(self, optim_wrapper: OptimWrapper, module: LocalModule) -> None:
        self.parameters = module.parameters()
        own = {id(parameter) for parameter in self.parameters}
        optimizer = _same(optim_wrapper.optimizer)  # shares the state of every parameter
        pairs = [
            ({**group, 'params': [p for p in group['params'] if id(p) in own]}, group)
            for group in optim_wrapper.optimizer.param_groups
        ]
        self.groups = [(mine, whole) for mine, whole in pairs if mine['params']]
        optimizer.param_groups = [mine for mine, _ in self.groups]
        self.wrapper = copy.copy(optim_wrapper)
        # Schedulers put a counting `step` on the whole wrapper, which the copy would call instead of its own.
        vars(self.wrapper).pop('step', None)
        self.wrapper.optimizer = optimizer
        if hasattr(optim_wrapper, 'loss_scaler'):
            self.wrapper.loss_scaler = copy.deepcopy(optim_wrapper.loss_scaler)
        # MMEngine would read every norm from the device at once, to log it.
        self.clipping, self.wrapper.clip_grad_kwargs = optim_wrapper.clip_grad_kwargs, None
        self.norms: list[Tensor] = []

    def step(self) -> None:
        """Clips the module's gradients if asked to, steps its parameters, and frees the gradients."""
        self._follow()
        if self.clipping:
            self._clip()
        with as_rows(self.wrapper.optimizer):
            self.wrapper.step()
        self.wrapper.zero_grad()

    def _clip(self) -> None:
        if hasattr(self.wrapper, 'loss_scaler'):
            self.wrapper.loss_scaler.unscale_(self.wrapper.optimizer)
        norm = self.wrapper.clip_func([p for p in self.parameters if p.grad is not None], **self.clipping)
        if norm is not None:  # values are clipped without one
            self.norms.append(norm)

    def _follow(self) -> None:
        """Takes over the learning rate and whatever else schedulers changed in the whole optimizer."""
        for mine, whole in self.groups:
            mine.update({key: value for key, value in whole.items() if key != 'params'})


def _same(optimizer: Optimizer) -> Optimizer:
    """Another object with the same attributes; ``copy.copy`` leaves out all that an optimizer does not pickle."""
    twin = object.__new__(type(optimizer))
    vars(twin).update(vars(optimizer))
    return twin
