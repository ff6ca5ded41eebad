"""Checkpoints that a kill or a full disk cannot damage, and resuming from the right ones."""

import logging
import os.path as osp
from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner, find_latest_checkpoint
from torch import Tensor

from auglocal_mm.engine.checkpoint import begin_anew, check_resumable
from auglocal_mm.engine.divergence import divergence
from auglocal_mm.engine.hooks.sync_buffers_hook import SyncBuffersHook, average_buffers
from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.engine.resumed_settings import apply_settings
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import atomic_write
from auglocal_mm.private import checkpoint_to_load
from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime.gradient_average import average_gradients
from auglocal_mm.runtime.grid import num_replicas
from auglocal_mm.runtime.memory_order import like
from auglocal_mm.runtime.optimizers import each_wrapper
from auglocal_mm.weights.finite import non_finite
from auglocal_mm.weights.load_weights import select_weights


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """The local disk, where a file is written beside its place and then renamed."""

    def put(self, obj: bytes, filepath: str) -> None:
        """Writes ``obj`` to ``filepath``, whole or not at all."""
        with atomic_write(filepath) as temporary:
            temporary.write_bytes(obj)


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's ``CheckpointHook``, written atomically. Nothing that is not finite is saved or resumed from.

    MMEngine removes the oldest checkpoint before it writes the next one: with ``max_keep_ckpts=1`` a kill in between leaves
    none.

    Attributes:
        kept: Path of the last checkpoint of this training, if there is one.
        gradients: Accumulated gradients by the name of their parameter, until the resumed training begins.
        first_scale: Initial scale of the loss in the config, if it is scaled.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault('backend_args', {'backend': 'atomic'})
        super().__init__(*args, **kwargs)
        self.kept: str | None = None
        self.gradients: dict[str, Tensor] = {}
        self.first_scale: float | None = None

    def before_run(self, runner: Runner) -> None:
        """Records the initial scale of the loss, before a resumed scaler has another."""
        scaler = getattr(each_wrapper(runner.optim_wrapper)[0], 'loss_scaler', None)
        self.first_scale = scaler.get_scale() if scaler else None

    def before_train(self, runner: Runner) -> None:
        """Restores accumulated gradients, and keeps other trainings' checkpoints apart.

        Those of an earlier training in the work_dir are not resumed from. After a move or in a copy, MMEngine's path of the
        best one is that of another training, where MMEngine would remove it. Warns if nothing is saved during the training.
        """
        if runner.iter == 0 and is_main_process():
            begin_anew(runner.work_dir)
        super().before_train(runner)
        if self.by_epoch and counts_iterations(runner):
            print_log(
                'default_hooks.checkpoint counts epochs, but training counts iterations: nothing is saved before its end; set '
                'by_epoch=False, and interval to a number of iterations',
                logger='current',
                level=logging.WARNING,
            )
        path: str | None = getattr(self, 'best_ckpt_path', None)
        if path:
            self.best_ckpt_path = self._here(path)
        best = getattr(self, 'best_ckpt_path_dict', {})
        best.update({key: self._here(path) for key, path in best.items() if path})
        for name, gradient in self.gradients.items():
            parameter = unwrapped(runner.model).get_parameter(name)
            parameter.grad = like(gradient, parameter)
        self.gradients = {}

    def after_train_epoch(self, runner: Runner) -> None:
        """Saves after an epoch, if it is time."""
        if self.by_epoch:
            average_gradients(list(runner.model.parameters()))
        due = self.every_n_epochs(runner, self.interval, self.save_begin)
        if self.by_epoch and (due or (self.save_last and self.is_last_train_epoch(runner))):
            runner.call_hook('before_write_checkpoint')
        super().after_train_epoch(runner)
        self.kept = self.last_ckpt or self.kept

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Saves after an iteration, if it is time, averages over all processes, of which only the first writes."""
        due = self.every_n_train_iters(runner, self.interval, self.save_begin)
        if not self.by_epoch and (due or (self.save_last and self.is_last_train_iter(runner))):
            average_gradients(list(runner.model.parameters()))
            if any(isinstance(hook, SyncBuffersHook) for hook in runner.hooks):
                average_buffers(runner.model)
            runner.call_hook('before_write_checkpoint')
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        self.kept = self.last_ckpt or self.kept

    def after_val_epoch(self, runner: Runner, metrics: Any) -> None:
        """Saves the best checkpoint so far, if it is asked for."""
        if self.save_best is not None:
            runner.call_hook('before_write_checkpoint')
        super().after_val_epoch(runner, metrics)

    def _here(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, osp.basename(path))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Records the number of replicas, on which the total batch size depends, the type of the optimizer, and gradients
        that are still being accumulated.

        Raises:
            InputError: Something in the checkpoint is not finite; it is not written.
        """
        checkpoint['meta']['world_size'] = num_replicas()
        if 'optimizer' in checkpoint:
            named = unwrapped(runner.model).named_parameters()
            gradients = {name: p.grad.cpu() for name, p in named if p.grad is not None}
            checkpoint.setdefault('local_learning', {}).setdefault('gradients', {}).update(gradients)
            checkpoint['meta']['optimizer'] = type(each_wrapper(runner.optim_wrapper)[0].optimizer).__name__
            checkpoint['meta']['first_scale'] = self.first_scale
        found = _non_finite_state(checkpoint)
        if found:
            raise divergence(runner, f'{found} after iteration {checkpoint["meta"]["iter"]}')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks the checkpoint that a run resumes or starts from, before anything is loaded from it.

        Raises:
            InputError: It is not a checkpoint of this training, is not finite, or does not cover the backbone; or a setting
                can no longer take effect.
        """
        model = unwrapped(runner.model)
        resume, given = checkpoint_to_load(runner)
        source = str(given or find_latest_checkpoint(runner.work_dir))
        if not resume:
            checkpoint['state_dict'], coverage = select_weights(model, checkpoint, source)
            print_log(f'Weights of {source}: {coverage}', logger='current')
            return
        check_resumable(model, checkpoint, source)
        found = _non_finite_state(checkpoint)
        if found:
            raise InputError(f'{source}: {found}; resume from an earlier checkpoint')
        _compare_processes(checkpoint)
        iteration = checkpoint['meta']['iter']
        apply_settings(runner, checkpoint, source)
        self.kept = source
        if checkpoint['meta']['iter'] == iteration:  # otherwise the accumulated gradients are recomputed
            self.gradients = checkpoint.get('local_learning', {}).get('gradients', {})


def _non_finite_state(checkpoint: Mapping[str, Any]) -> str | None:
    """What is not finite in a checkpoint, except in the log and in gradients that a loss scaler checks."""
    optimizer = checkpoint.get('optimizer', {})
    scaled = optimizer.get('loss_scaler') or any(
        isinstance(state, Mapping) and state.get('loss_scaler') for state in optimizer.values()
    )
    passed = ('message_hub', 'local_learning') if scaled else ('message_hub',)
    return non_finite({key: value for key, value in checkpoint.items() if key not in passed})


def _compare_processes(checkpoint: Mapping[str, Any]) -> None:
    before, now = checkpoint['meta'].get('world_size', num_replicas()), num_replicas()
    if before != now:
        print_log(
            f'The checkpoint is of a training by {before} processes, now there are {now}: unless batch_size of the config is '
            'changed to match, the total batch size differs.',
            logger='current',
            level=logging.WARNING,
        )
