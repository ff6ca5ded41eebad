"""Everything that the work_dir of a pretraining holds about it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auglocal_mm.analysis.training_log import TrainingLog, read_log
from auglocal_mm.engine.checkpoint import latest_checkpoint
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import fit
from auglocal_mm.launch.work_dir import Stage
from auglocal_mm.transfer.evaluation_record import read_evaluations
from auglocal_mm.transfer.run_config import RunConfig, read_run_config, settings_that_differ
from auglocal_mm.weights.backbone_file import check_sha256, sha256
from auglocal_mm.weights.backbone_record import BackboneRecord, read_own_record
from auglocal_mm.weights.checkpoint_file import read_weights

EXPORT, RECORD = 'ExportBackboneHook', 'backbone.json'
LOCAL = 'local/'
"""Begins the names of scalars of a local module: ``local/<module>/loss``."""


@dataclass(frozen=True)
class PretrainingRun:
    """One pretraining.

    Attributes:
        name: In the report.
        stage: What its config trains.
        config: Of its newest start.
        record: Of its backbone or, until that is exported, what its last checkpoint says of it.
        finished: Whether its backbone is exported.
        log: Its curves; the accuracies of the backbone are the last ones of the validation.
        epoch_length: Iterations in an epoch; ``None`` if unknown, or in training by iterations.
        has_other_record: Whether there is a record of a backbone, but not of this training's.
        changed: Dotted keys of the settings that are not those of all its starts.
    """

    name: str
    stage: Stage
    config: RunConfig
    record: BackboneRecord
    finished: bool
    log: TrainingLog
    epoch_length: float | None
    has_other_record: bool = False
    changed: Sequence[str] = ()

    @property
    def modules(self) -> list[str]:
        """The names of the local modules, in order; none in backpropagation."""
        names = dict.fromkeys(name.split('/')[1] for name in self.log.training if name.startswith(LOCAL))
        ends = self.record.partition.split_points if self.record.partition else []
        # Where modules are trained in turn, the first that is logged need not be the first of the network.
        return sorted(names, key=lambda name: [*ends, name.split('-')[-1]].index(name.split('-')[-1]))

    @property
    def last_logged(self) -> int:
        """The last iteration that is logged; 0 if none is."""
        return _last_step(self.log)

    @property
    def iterations(self) -> int:
        """How many are known to be done."""
        return max(self.last_logged, self.record.iteration or 0)

    @property
    def unit(self) -> str:
        """Of :meth:`by_epoch`."""
        return 'epoch' if self.epoch_length else 'iteration'

    def by_epoch(self, points: Sequence[tuple[int, float]]) -> Sequence[tuple[float, float]]:
        """A curve of the training by epoch, or by iteration if the length of an epoch is unknown."""
        return [(step / (self.epoch_length or 1), value) for step, value in points]

    @property
    def validation_unit(self) -> str:
        """By what validations are logged."""
        return 'iteration' if self.config.get('default_hooks.logger.log_metric_by_epoch') is False else 'epoch'


def read_pretraining_run(name: str, work_dir: Path) -> PretrainingRun:
    """Reads the work_dir of a pretraining, also of one that was stopped or is still running.

    Raises:
        InputError: It is not that of a pretraining, nothing is logged yet, or a record is damaged.
    """
    log = read_log(work_dir)
    config = read_run_config(work_dir, log.newest)
    stage = Stage.of(config.values)
    if not any(str(hook.get('type')).endswith(EXPORT) for hook in _hooks(config)):
        raise InputError(
            f'{work_dir} is of the training of a {stage.task}, which exports no backbone; give the work_dir of a '
            'pretraining'
        )
    record = _exported(work_dir, config, log)
    known = record or _in_checkpoint(work_dir, config)
    length, left_out = _epoch_length(record, work_dir, config), record is None and is_there(work_dir / RECORD)
    changed = list(settings_that_differ({str(start): read_run_config(work_dir, start) for start in log.starts}))
    run = PretrainingRun(name, stage, config, known, record is not None, log, length, left_out, changed)
    return _with_last_validation(run) if run.finished else run


def _hooks(config: RunConfig) -> Iterator[Mapping[str, Any]]:
    default, custom = config.get('default_hooks'), config.get('custom_hooks')
    hooks = [
        *(default.values() if isinstance(default, Mapping) else ()),
        *(custom if isinstance(custom, Sequence) else ()),
    ]
    return (hook for hook in hooks if isinstance(hook, Mapping))


def _last_step(log: TrainingLog) -> int:
    return max((points[-1][0] for points in log.training.values()), default=0)


def _exported(work_dir: Path, config: RunConfig, log: TrainingLog) -> BackboneRecord | None:
    """The record of the backbone, if it is of this training and not of an earlier one in the same folder."""
    path = work_dir / RECORD
    if not is_there(path):
        return None
    record = read_own_record(path)
    later = [
        start for start in work_dir.glob('*/vis_data/config.py') if start.parents[1] > log.newest
    ]  # logged nothing
    has_config = record.config_hash is None or record.config_hash in map(sha256, [config.path, *later])
    logged, interval = _last_step(log), config.get('default_hooks.logger.interval') or 10
    if not has_config or not 0 <= (record.iteration or logged) - logged < interval:
        return None
    if is_there(path.with_suffix('.pth')):  # it may have been copied elsewhere
        check_sha256(path.with_suffix('.pth'))
    return record


def _with_last_validation(run: PretrainingRun) -> PretrainingRun:
    """The run with the accuracies of its backbone, which a log that was cut lacks."""
    step, curves = run.record.epoch if run.validation_unit == 'epoch' else run.record.iteration, run.log.validation
    lacking = {
        name: sorted({**dict(curves.get(name, ())), step: value}.items())
        for name, value in (run.record.accuracy or {}).items()
        if step and (name not in curves or curves[name][-1][1] != value)
    }
    return replace(run, log=replace(run.log, validation={**curves, **lacking}))


def _in_checkpoint(work_dir: Path, config: RunConfig) -> BackboneRecord:
    path = latest_checkpoint(str(work_dir), config.get('default_hooks.checkpoint.out_dir'))
    if path is None:
        return BackboneRecord()
    meta = read_weights(path).get('meta', {})
    found = fit(meta.get('auglocal_mm', {}), dict[str, Any], f'meta of {path}', 'remove that checkpoint')
    known = {name: value for name, value in {**found, 'iteration': meta.get('iter')}.items() if value is not None}
    return fit(known, BackboneRecord, f'meta of {path}', 'remove that checkpoint')


def _epoch_length(record: BackboneRecord | None, work_dir: Path, config: RunConfig) -> float | None:
    if _by_iteration(config):
        return None
    evaluations = read_evaluations(work_dir)
    known = record or (evaluations.validation if evaluations else None)
    return known.iteration / known.epoch if known and known.iteration and known.epoch else None


def _by_iteration(config: RunConfig) -> bool:
    """Whether a config trains by iterations, not by epochs."""
    return config.get('train_cfg.by_epoch') is False or str(config.get('train_cfg.type')).endswith('IterBasedTrainLoop')
