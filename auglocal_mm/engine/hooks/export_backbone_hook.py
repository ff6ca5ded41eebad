"""Writes the backbone after training."""

import hashlib
import math
import os.path as osp
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu

from auglocal_mm.engine.passes import finished_passes
from auglocal_mm.engine.provenance import provenance
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.launch.work_dir import Stage
from auglocal_mm.registry import HOOKS
from auglocal_mm.weights.backbone_file import write_backbone


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Writes ``backbone.pth`` and ``backbone.json`` to the work_dir after training.

    The weights are those that a checkpoint would contain: averaged ones where an EMA hook averages.
    """

    priority = 'VERY_LOW'  # after hooks that put other weights into a checkpoint

    def __init__(self) -> None:
        self.measured: tuple[int, dict[str, Any]] = (-1, {})
        self.provenance: dict[str, Any] = {}

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Notes what trains, before files of the checkout change."""
        self.provenance = provenance(runner)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Remembers the accuracy, on how many images it was measured, and after how many iterations."""
        found = {key: float(value) for key, value in (metrics or {}).items() if key.startswith('accuracy')}
        finite = {key: value for key, value in found.items() if math.isfinite(value)}
        self.measured = (runner.iter, {'accuracy': finite, 'num_validation_images': len(runner.val_dataloader.dataset)})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Records in the checkpoint what the backbone's description needs, so that it can be exported from there too.

        The accuracy is recorded only if it is that of these weights: checkpoints are written before the validation.
        """
        iteration, measured = self.measured
        model, config = unwrapped(runner.model), runner.cfg.pretty_text
        checkpoint['meta'].setdefault('cfg', config)  # the runner adds it to what it saves itself
        checkpoint['meta'].setdefault('auglocal_mm', {}).update(
            self.provenance
            | {
                'method': Stage.of(runner.cfg).method,
                'architecture': getattr(model.backbone, 'architecture', None),
                **(measured if iteration == checkpoint['meta']['iter'] else {'accuracy': {}}),
                'epoch': finished_passes(runner, checkpoint['meta']['iter']),
                'config_hash': hashlib.sha256(config.encode()).hexdigest(),
                **_initial_weights(checkpoint['meta'].get('training')),
            }
        )

    def after_train(self, runner: Runner) -> None:
        """Exports the trained backbone, after the last validation if the run was stopped before it."""
        if runner.val_loop is not None and self.measured[0] != runner.iter:
            runner.val_loop.run()
        runner.call_hook('before_write_checkpoint')
        self._export(runner)

    @master_only
    def _export(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        checkpoint: dict[str, Any] = {
            'meta': {'epoch': runner.epoch, 'iter': runner.iter},
            'state_dict': weights_to_cpu(model.state_dict()),
        }
        runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        path = osp.join(runner.work_dir, 'backbone.pth')
        write_backbone(path, checkpoint)
        print_log(f'The backbone is in {path}, its description beside it.', logger='current')


def _initial_weights(training: Mapping[str, Any] | None) -> dict[str, str]:
    """What the training started from, as ``EvaluationRecordHook`` has recorded it, without folders that others do not have."""
    if training is None:
        return {}
    source = training['backbone'] or ''
    return {'initial_weights': source if '://' in source else '/'.join(PurePath(source).parts[-2:])}
