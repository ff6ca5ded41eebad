"""Turns the training of a classifier by backpropagation into local learning."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from auglocal_mm.engine.conflicts import refuse_conflicts
from auglocal_mm.engine.local_optimizer import LocalOptimizer
from auglocal_mm.errors import InputError
from auglocal_mm.local_learning import local_step
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class AugLocalHook(Hook):
    """Trains every local module from its own loss (AugLocal, arXiv 2402.17318).

    The life of a run::

        before_train:  share the optimizer among the local modules, put the local step in the place of ``train_step``
        each iteration: pre-process once; each module: forward, loss, backward, average over processes, update, free
        after_train:   give ``train_step`` back

    The log line shows the sum of all losses, three of them, and the last module's accuracy; the visualizer gets every
    module's loss and accuracy as ``local/<module>/loss`` and ``local/<module>/accuracy``, averaged over the iterations
    between two log lines.
    """

    resumed: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Puts the local step in the place of the model's ``train_step``."""
        refuse_conflicts(runner)
        if is_model_wrapper(runner.model):
            # Gradients are averaged module by module; DDP's buckets would hold a copy of all of them.
            runner.model = runner.model.module
        self.model = runner.model
        self.modules = self.model.local_modules()
        self.optimizer = LocalOptimizer(runner.optim_wrapper, self.modules)
        self._take_up_resumed_state()
        self.sums, self.count = torch.zeros(len(self.modules), 2, dtype=torch.float64), 0
        self.model.train_step = partial(self.train_step, runner)

    def after_train(self, runner: Runner) -> None:
        """Gives the model its own ``train_step`` back."""
        del self.model.train_step

    def train_step(self, runner: Runner, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """One iteration of local learning, in the place of :meth:`mmengine.model.BaseModel.train_step`.

        Returns:
            The handful of values for the log line.

        Raises:
            InputError: A module's loss is not finite.
        """
        data = self.model.data_preprocessor(data, training=True)
        results = local_step(
            self.modules,
            data['inputs'],
            data['data_samples'],
            self.optimizer.update,
            context=partial(optim_wrapper.optim_context, self.model),
        )
        # One transfer from the device for all modules.
        values = torch.stack([torch.stack([r['loss'], r['accuracy']]).double() for r in results]).cpu()
        self._refuse_non_finite(values[:, 0], runner)
        self.sums += values
        self.count += 1
        losses = values[:, 0]
        middle = {'loss_middle': losses[len(losses) // 2]} if len(losses) > 2 else {}
        first = {'loss_first': losses[0]} if len(losses) > 1 else {}
        return {'loss': losses.sum(), **first, **middle, 'loss_last': losses[-1], 'accuracy': values[-1, 1]}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Writes every module's averages to the visualizer, as often as the logger writes its line."""
        interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 50)
        if self.every_n_inner_iters(batch_idx, interval) or self.end_of_epoch(runner.train_dataloader, batch_idx):
            scalars: dict[str, float] = {}
            for module, (loss, accuracy) in zip(self.modules, (self.sums / self.count).tolist(), strict=True):
                scalars |= {f'local/{module.name}/loss': loss, f'local/{module.name}/accuracy': accuracy}
            runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
            self.sums.zero_()
            self.count = 0

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keeps what MMEngine does not: one loss scaler for each module, and gradients that are still being accumulated."""
        if hasattr(self, 'optimizer'):
            gradients = {name: p.grad.cpu() for name, p in self.model.named_parameters() if p.grad is not None}
            checkpoint['local_learning'] = {'scalers': self.optimizer.scaler_states(), 'gradients': gradients}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remembers the state of a resumed run until its optimizer is there."""
        if runner._resume:
            self.resumed = checkpoint.get('local_learning')

    def _take_up_resumed_state(self) -> None:
        if self.resumed is not None:
            self.optimizer.load_scaler_states(self.resumed['scalers'])
            for name, gradient in self.resumed['gradients'].items():
                parameter = self.model.get_parameter(name)
                parameter.grad = gradient.to(parameter.device)
            self.resumed = None

    def _refuse_non_finite(self, losses: Tensor, runner: Runner) -> None:
        for module, loss in zip(self.modules, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise InputError(
                    f'the loss of local module {module.name} is {loss} in iteration {runner.iter + 1} (epoch '
                    f'{runner.epoch + 1}); the last checkpoint is from before it: lower the learning rate, clip gradients '
                    '(optim_wrapper.clip_grad) or look at the data, then --resume'
                )
