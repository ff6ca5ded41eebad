"""One optimizer, stepped one local module at a time.

MMEngine builds one optimizer for the whole model, and its schedulers, checkpoints and logs hold on to that one. Here every
local module gets an optimizer wrapper of its own around a *share* of it: the same state and hyper-parameters, but only the
module's parameters. So clipping takes the norm of one module, gradient accumulation counts iterations, and an overflow in
float16 skips one module alone.
"""

from collections.abc import Iterable, Sequence

import torch
from mmengine.dist import all_reduce_params, get_world_size
from mmengine.optim import ApexOptimWrapper, OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from auglocal_mm.engine.optimizer_share import OptimizerShare
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
        self.shares = [OptimizerShare(optim_wrapper, module) for module in modules]
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
            share.step()

    def take_norms(self) -> Tensor:
        """Norms of every module's gradients before they were clipped, since the last call: (updates, K), on the CPU.

        Empty where nothing is clipped by norm. Until then they stay on the device, so that no update waits for it.
        """
        taken = [share.norms for share in self.shares]
        for share in self.shares:
            share.norms = []
        return torch.stack([torch.stack(norms) for norms in taken], dim=1).cpu() if all(taken) else torch.zeros(0, 0)

    def scaler_states(self) -> list[dict]:
        """States of the modules' loss scalers; empty without them."""
        return [scaler.state_dict() for scaler in self._scalers()]

    def load_scaler_states(self, states: Sequence[dict]) -> None:
        """Takes up what :meth:`scaler_states` gave; scalers without a state, or with one of bfloat16, start afresh."""
        for scaler, state in zip(self._scalers(), states, strict=False):
            if state:
                scaler.load_state_dict(state)

    def _scalers(self) -> list[torch.amp.GradScaler]:
        return [share.wrapper.loss_scaler for share in self.shares if hasattr(share.wrapper, 'loss_scaler')]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces each gradient by its mean over all processes, in one exchange."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if get_world_size() > 1 and gradients:
        all_reduce_params(gradients, op='mean')


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
