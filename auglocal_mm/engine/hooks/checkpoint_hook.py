"""Checkpoints that a kill or a full disk cannot damage, and resuming from the right ones."""

import logging
import os.path as osp
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from auglocal_mm.engine.checkpoint import NONE_YET, check_resumable, check_start, latest_checkpoint
from auglocal_mm.engine.memory_order import align_state
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.files import atomic_write, write_text
from auglocal_mm.registry import HOOKS


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """The local disk, where a file is written beside its place and then renamed."""

    def put(self, obj: bytes, filepath: str) -> None:
        """Writes ``obj`` to ``filepath``, whole or not at all."""
        with atomic_write(filepath) as temporary:
            temporary.write_bytes(obj)


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's ``CheckpointHook``, written atomically.

    MMEngine removes the oldest checkpoint before it writes the next one. With ``max_keep_ckpts=1`` a kill in between would
    leave none, so that at least two are asked for.

    Raises:
        InputError: ``max_keep_ckpts`` is 1.
    """

    def __init__(self, *args: Any, max_keep_ckpts: int = -1, **kwargs: Any) -> None:
        if max_keep_ckpts == 1:
            raise InputError(
                'default_hooks.checkpoint.max_keep_ckpts is 1: a kill while the next checkpoint is written would leave '
                'none; keep 2 or more, or -1 for all'
            )
        kwargs.setdefault('backend_args', {'backend': 'atomic'})
        super().__init__(*args, max_keep_ckpts=max_keep_ckpts, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Lays the state of a resumed optimizer out as the weights are now, and keeps other trainings' checkpoints apart.

        Those of an earlier training in the work_dir are not resumed for this one. The path that MMEngine has of the best
        one is another training's after a move or in a copy, where MMEngine would remove it.
        """
        pointer = Path(runner.work_dir, 'last_checkpoint')
        if runner.iter == 0 and is_main_process() and (pointer.is_file() or latest_checkpoint(runner.work_dir)):
            write_text(pointer, NONE_YET)
        super().before_train(runner)
        path: str | None = getattr(self, 'best_ckpt_path', None)
        if path:
            self.best_ckpt_path = self._here(path)
        best = getattr(self, 'best_ckpt_path_dict', {})
        best.update({key: self._here(path) for key, path in best.items() if path})
        align_state(runner.optim_wrapper.optimizer)

    def _here(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, osp.basename(path))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Notes how many processes train, on which the size of a batch depends."""
        checkpoint['meta']['world_size'] = get_world_size()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Checks what a run is to be resumed or started from, before anything is taken from it.

        Raises:
            InputError: It is no checkpoint of this training, or does not cover the backbone.
        """
        model = unwrapped(runner.model)
        check = check_resumable if runner._resume else check_start
        check(model, checkpoint, str(runner._load_from))
        checkpoint.get('meta', {}).pop('config', None)  # MMEngine would run it as a config
        before, now = checkpoint.get('meta', {}).get('world_size', get_world_size()), get_world_size()
        if runner._resume and before != now:
            print_log(
                f'{before} processes trained before, and {now} do now: unless batch_size of the config makes up for it, batches '
                'are of another size.',
                logger='current',
                level=logging.WARNING,
            )
