"""One optimizer, stepped one local module at a time.

MMEngine builds one optimizer for the whole model, and its schedulers, checkpoints and logs hold on to that one. Here every
local module gets an optimizer wrapper of its own around a *share* of it: the same state and hyper-parameters, but only the
module's parameters. So clipping takes the norm of one module, gradient accumulation counts iterations, and an overflow in
float16 skips one module alone.
"""

import copy
from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce_params, get_world_size
from mmengine.optim import ApexOptimWrapper, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.errors import InputError
from auglocal_mm.partition import LocalModule


class LocalOptimizer:
    """Updates local modules with their shares of ``optim_wrapper``.

    Args:
        optim_wrapper: MMEngine's wrapper of the optimizer over all parameters.
        modules: All local modules. Together they must hold every trainable parameter, each once.

    Raises:
        InputError: A wrapper that cannot be shared, or a parameter that belongs to no module or to several.
    """

    def __init__(self, optim_wrapper: OptimWrapper, modules: Sequence[LocalModule]) -> None:
        if not isinstance(optim_wrapper, OptimWrapper) or isinstance(
            optim_wrapper, (ApexOptimWrapper, OptimWrapperDict)
        ):
            raise InputError(
                f'AugLocalHook cannot share a {type(optim_wrapper).__name__} among local modules; '
                'expected an OptimWrapper or AmpOptimWrapper in optim_wrapper.type'
            )
        _check_ownership(optim_wrapper.optimizer, modules)
        self.shares = [_Share(optim_wrapper, module) for module in modules]
        optim_wrapper._global_step = 1  # schedulers warn when they see no step of the whole optimizer

    def update(self, number: int, loss: Tensor) -> None:
        """Runs backward from ``loss``; then, unless gradients are still being accumulated, steps and frees them.

        With several processes the gradients of the module are averaged first, so that each process takes the step of the
        whole batch.
        """
        share = self.shares[number]
        share.wrapper.backward(share.wrapper.scale_loss(loss))
        if share.wrapper.should_update():
            average_gradients(share.parameters)
            share.follow()
            share.wrapper.step()
            share.wrapper.zero_grad()

    def scaler_states(self) -> list[dict]:
        """States of the modules' loss scalers; empty without them."""
        return [scaler.state_dict() for scaler in self._scalers()]

    def load_scaler_states(self, states: Sequence[dict]) -> None:
        """Takes up what :meth:`scaler_states` gave; scalers without a state start afresh."""
        for scaler, state in zip(self._scalers(), states, strict=False):
            scaler.load_state_dict(state)

    def _scalers(self) -> list[torch.amp.GradScaler]:
        return [share.wrapper.loss_scaler for share in self.shares if hasattr(share.wrapper, 'loss_scaler')]


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over all processes, in one exchange."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if get_world_size() > 1 and gradients:
        all_reduce_params(gradients, op='mean')


class _Share:
    """A local module's share of an optimizer, wrapped like the whole."""

    def __init__(self, optim_wrapper: OptimWrapper, module: LocalModule) -> None:
        self.parameters = module.parameters()
        own = {id(parameter) for parameter in self.parameters}
        optimizer = copy.copy(optim_wrapper.optimizer)  # shares the state of every parameter
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

    def follow(self) -> None:
        """Takes over the learning rate and whatever else schedulers changed in the whole optimizer."""
        for mine, whole in self.groups:
            mine.update({key: value for key, value in whole.items() if key != 'params'})


def _check_ownership(optimizer: Optimizer, modules: Sequence[LocalModule]) -> None:
    owners: dict[int, str] = {}
    for module in modules:
        for parameter in module.parameters():
            if owners.setdefault(id(parameter), module.name) != module.name:
                raise InputError(
                    f'the local modules {owners[id(parameter)]} and {module.name} share a parameter, so that a gradient '
                    'would cross their border; put the layers that share it into one module (partition.cut_points)'
                )
    groups = [parameter for group in optimizer.param_groups for parameter in group['params']]
    strangers = [tuple(p.shape) for p in groups if p.requires_grad and id(p) not in owners]
    if strangers:
        raise InputError(
            f'{len(strangers)} trainable parameters belong to no local module (the first has shape {strangers[0]}); '
            'name the layers that hold them in partition.chain'
        )
