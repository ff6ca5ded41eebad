"""Records every evaluation when it is computed, for comparisons."""

import math
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mmengine.dist import master_only
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.files.run_record import parse_record, plain
from auglocal_mm.private import checkpoint_to_load
from auglocal_mm.registry import HOOKS
from auglocal_mm.transfer.evaluation_record import (
    EvaluationRecord,
    Evaluations,
    TrainingRecord,
    read_evaluations,
    training_of,
    write_evaluations,
)
from auglocal_mm.transfer.pretraining import KEPT_RECORD, read_pretraining
from auglocal_mm.transfer.recorded_matches import write_matches
from auglocal_mm.transfer.run_config import RunConfig, settings_that_differ


@HOOKS.register_module()
class EvaluationRecordHook(Hook):
    """Writes ``evaluation.json`` to the work_dir: the last validation of the training, and the last test run.

    A new training removes the records of an earlier one. Checkpoints name the training that they are from.
    """

    priority = 'VERY_LOW'  # nothing is removed before the other hooks have checked what is to be trained

    def __init__(self) -> None:
        self.training: TrainingRecord | None = None
        self.loaded: Mapping[str, Any] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remembers which training the weights are from, and when they were saved."""
        self.loaded = checkpoint.get('meta') or {}
        self.training = training_of(self.loaded, str(checkpoint_to_load(runner)[1]))

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Keeps the records of a resumed training, and starts without any otherwise."""
        resumed = bool(checkpoint_to_load(runner)[0] and self.loaded)
        if self.training is None or not resumed:
            self.training = _new_training(runner, resumed)
        changed = {*self.training.changed, *(_changed_settings(runner, self.loaded.get('cfg')) if resumed else ())}
        if changed:
            self.training = self.training.model_copy(update={'changed': sorted(changed)})
        kept = read_evaluations(runner.work_dir) if resumed else None
        validated = kept.validation.training if kept and kept.validation else None
        if not resumed or (validated and validated.id != self.training.id):
            write_evaluations(runner.work_dir, Evaluations(validation=None, test=None))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Records which training the checkpoint is from."""
        if self.training is not None:
            checkpoint['meta']['training'] = self.training.model_dump(exclude_unset=True)

    def before_test(self, runner: Runner) -> None:
        """Refuses a damaged file before the test, not after it."""
        read_evaluations(runner.work_dir)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Records a validation."""
        self._write(runner, 'validation', metrics or {}, {'epoch': runner.epoch, 'iter': runner.iter}, None)

    def after_test_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Records a test."""
        self._write(runner, 'test', metrics or {}, self.loaded, checkpoint_to_load(runner)[1])

    @master_only
    def _write(
        self,
        runner: Runner,
        run: Literal['validation', 'test'],
        metrics: Mapping[str, Any],
        progress: Mapping[str, Any],
        checkpoint: str | None,
    ) -> None:
        loop = runner.val_loop if run == 'validation' else runner.test_loop
        evaluator = loop.evaluator
        record = EvaluationRecord(
            training=self.training,
            epoch=progress.get('epoch') or None,
            iteration=progress.get('iter') or None,
            checkpoint=checkpoint,
            num_images=len(loop.dataloader.dataset),
            metrics={
                key: plain(value.tolist() if hasattr(value, 'tolist') else value) for key, value in metrics.items()
            },
            class_ap=_class_ap(evaluator),
            matches=write_matches(Path(runner.work_dir), _of_metrics(evaluator, 'matches')),
            settings=plain(runner.cfg.to_dict()),
        )
        kept = read_evaluations(runner.work_dir) or Evaluations(validation=None, test=None)
        write_evaluations(runner.work_dir, kept.model_copy(update={run: record}))


def _class_ap(evaluator: Evaluator) -> dict[str, dict[str, float | None]]:
    """AP by kind and class, of metrics that have it."""
    return {
        kind: {name: None if math.isnan(value) else value for name, value in values.items()}
        for kind, values in _of_metrics(evaluator, 'class_ap').items()
    }


def _of_metrics(evaluator: Evaluator, name: str) -> dict[str, Any]:
    """What metrics have by kind (``'bbox'`` and ``'segm'``) under a name."""
    return dict(item for metric in evaluator.metrics for item in getattr(metric, name, {}).items())


def _new_training(runner: Runner, resumed: bool) -> TrainingRecord:
    """A training that starts now, or that was started before trainings were recorded."""
    if not resumed:
        Path(runner.work_dir, KEPT_RECORD).unlink(missing_ok=True)
    found = read_pretraining(_config(runner), Path(runner.work_dir))
    content = {'id': uuid.uuid4().hex, 'backbone': found.checkpoint, 'pretraining': found.record or None}
    return TrainingRecord.model_validate({**content, 'seed': runner.seed})


def _changed_settings(runner: Runner, saved: Any) -> list[str]:
    """Where the config of a resumed run differs from the text of the config in its checkpoint; empty if that is no record."""
    values = parse_record(saved) or {}
    return list(settings_that_differ({'saved': RunConfig(Path(), values), 'now': _config(runner)})) if values else []


def _config(runner: Runner) -> RunConfig:
    return RunConfig(Path(runner.work_dir), plain(runner.cfg.to_dict()))
