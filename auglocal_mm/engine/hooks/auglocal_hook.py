"""Turns the training of a classifier by backpropagation into local learning."""

import warnings
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from auglocal_mm.engine.conflicts import refuse_conflicts
from auglocal_mm.engine.local_log import log_statistics
from auglocal_mm.engine.local_statistics import LocalStatistics
from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime import build_executor
from auglocal_mm.runtime.executor import mixed_seed
from auglocal_mm.runtime.grid import replica_index


@HOOKS.register_module()
class AugLocalHook(Hook):
    """Trains every local module from its own loss (AugLocal, arXiv 2402.17318).

    The life of a run::

        before_train:  build the executor of the local modules, replace the model's ``train_step`` by it
        each iteration:
            pre-process the batch
            for each local module:
                features = module(features without gradient)
                loss = head(features, labels)
                backward; average gradients over processes, while the next module runs; clip; step its own optimizer; free its
                gradients
        after_train:   restore ``train_step``

    The log line shows the sum of all losses, three of them, and the last module's accuracy; the visualizer gets every
    module's loss and accuracy as ``local/<module>/loss`` and ``local/<module>/accuracy``, averaged over the iterations
    between two log lines, and ``local/<module>/grad_norm`` where gradients are clipped; ``grad_norm`` in the log line is
    the largest module's. Between log lines nothing is read from the device.

    Args:
        executor: Config of what runs the modules; by default ``dict(type='SequentialExecutor')``.
        update_every: n, if modules are trained in turn: the one of index m (from 0) is trained in the iterations i in which
            ``(i + m) % n == 0``. In the others it runs forward only, without its head, on batch statistics, and
            updates the running ones. Each module then has an n-th of the updates; schedules of learning rates count all
            iterations. Logged losses are those of the modules that are trained. Not with ``CUDAGraphExecutor``, clipped or
            accumulated gradients.
    """

    def __init__(self, executor: Mapping[str, Any] | None = None, update_every: int = 1) -> None:
        self.executor_config, self.update_every = executor, update_every

    def before_train(self, runner: Runner) -> None:
        """Replaces the model's ``train_step`` by the executor."""
        refuse_conflicts(runner)
        if is_model_wrapper(runner.model):
            # Gradients are averaged module by module; DDP's buckets would keep a copy of all of them.
            runner.model = runner.model.module
        self.runner, self.model = runner, runner.model
        self.executor = build_executor(
            self.model, runner.optim_wrapper, runner.cfg, self.executor_config, self.update_every
        )
        if self.update_every > 1:
            # Schedules go on before a module has had its first turn, which MMEngine takes for a mistake.
            warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
        self.statistics = LocalStatistics()
        self.model.train_step = self.train_step

    def after_train(self, runner: Runner) -> None:
        """Restores the model's own ``train_step``."""
        del self.model.train_step

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """One iteration of local learning, in place of :meth:`mmengine.model.BaseModel.train_step`.

        Returns:
            Nothing for the log: MMEngine would read it from the device in every iteration.
        """
        seed = mixed_seed(self.runner.seed, self.runner.iter, replica_index())
        images: Any = None
        labels: Any = None
        if data is not None:  # otherwise another process reads the images
            data = self.model.data_preprocessor(data, training=True)
            images, labels = data['inputs'], data['data_samples']
        self.executor.iteration = self.runner.iter
        results = self.executor.step(images, labels, seed)
        if self.executor.has_all_results:
            self.statistics.add(results)
        return {}

    def before_train_epoch(self, runner: Runner) -> None:
        """Tells the executor how many iterations follow."""
        by_iteration = counts_iterations(runner)
        self.executor.expect(runner.max_iters - runner.iter if by_iteration else len(runner.train_dataloader))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Logs the statistics since the last log line, as often as the logger writes one.

        Raises:
            InputError: A module's loss was not finite.
        """
        interval = next((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), 50)
        last = self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner)
        if last or self.every_n_inner_iters(batch_idx, interval):
            self._log(runner)

    def _log(self, runner: Runner) -> None:
        values, norms = self.statistics.take(), self.executor.optim_wrapper.take_norms()
        if len(values):
            log_statistics(runner, [module.name for module in self.executor.modules], values, norms)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks the losses first.

        Raises:
            InputError: A module's loss was not finite; the checkpoint is not written.
        """
        if hasattr(self, 'executor'):
            self._log(runner)
