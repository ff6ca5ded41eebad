"""Compares detectors whose backbones were pretrained in different ways."""

import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_log import METRICS, Evaluation, ap_points, last_evaluation
from auglocal_mm.transfer.evaluation_record import NAME, Evaluations, read_evaluations
from auglocal_mm.transfer.pretraining import Pretraining, read_pretraining
from auglocal_mm.transfer.recorded_matches import MatchesRecord
from auglocal_mm.transfer.run_config import RunConfig, read_run_config, settings_that_differ


@dataclass(frozen=True)
class TransferResult:
    """One detector: its last evaluation, its settings, the pretraining of its backbone, and its recorded matches."""

    work_dir: Path
    evaluation: Evaluation
    config: RunConfig
    pretraining: Pretraining
    matches: MatchesRecord | None = None


@dataclass(frozen=True)
class Statistic:
    """Mean and sample standard deviation (n - 1) over ``n`` runs.

    ``mean`` is None unless every run has a value, ``std`` also for a single run.
    """

    mean: float | None
    std: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> 'Statistic':
        """Summarises the values of the runs."""
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return cls(None, None, len(values))
        return cls(statistics.mean(known), statistics.stdev(known) if len(known) > 1 else None, len(known))


@dataclass(frozen=True)
class Comparison:
    """The results of several names, the first of which is the control.

    Attributes:
        groups: Name -> its runs.
        statistics: Name -> metric -> statistic, in AP points.
        differences: Name -> metric -> mean minus the control's mean, in AP points; None where either is missing.
        settings_that_differ: Dotted key -> work_dir -> value, for each setting that differs between runs.
    """

    groups: Mapping[str, tuple[TransferResult, ...]]
    statistics: Mapping[str, Mapping[str, Statistic]]
    differences: Mapping[str, Mapping[str, float | None]]
    settings_that_differ: Mapping[str, Mapping[str, Any]]

    @property
    def control(self) -> str:
        """The name that the others are compared with."""
        return next(iter(self.groups))


def read_work_dir(work_dir: str | os.PathLike[str]) -> TransferResult:
    """Reads the work_dir of a detector that MMEngine's Runner trained or tested: ``evaluation.json``, or else its logs.

    Raises:
        InputError: It does not exist, has no COCO evaluation or no config, has those of several trainings, or only the best
            checkpoint was tested.
    """
    path = Path(work_dir)
    if not path.is_dir():
        raise InputError(f'the work_dir {path} does not exist; give the folder that the training of the detector wrote')
    recorded = read_evaluations(path)
    return _logged(path) if recorded is None else _recorded(path, recorded)


def _recorded(work_dir: Path, recorded: Evaluations) -> TransferResult:
    run: Literal['validation', 'test'] = 'validation' if recorded.validation else 'test'
    record, source = recorded.validation or recorded.test, work_dir / NAME
    if record is None:
        raise InputError(f'{work_dir} has no evaluation on COCO yet; continue the training, or run tools/test.py')
    if record.checkpoint:
        _refuse_best(record.checkpoint, source)
    evaluation = Evaluation(ap_points(record.metrics, source), record.epoch, run, source, record.iteration)
    training = record.training.model_dump(exclude_unset=True) if record.training else {}
    pretraining = Pretraining(training.get('backbone'), training.get('pretraining') or {})
    return TransferResult(work_dir, evaluation, RunConfig(source, record.settings), pretraining, record.matches)


def _logged(work_dir: Path) -> TransferResult:
    """The result of a work_dir without ``evaluation.json``, from the files that MMEngine writes."""
    evaluation = last_evaluation(work_dir)
    config = read_run_config(work_dir, work_dir / evaluation.source.relative_to(work_dir).parts[0])
    if evaluation.run == 'test':
        tested = str(config.get('load_from') or '')
        _refuse_best(tested, evaluation.source)
        epoch = re.fullmatch(r'epoch_(\d+)\.pth', Path(tested).name)
        evaluation = replace(evaluation, epoch=int(epoch[1]) if epoch else None)
    return TransferResult(work_dir, evaluation, config, read_pretraining(config, work_dir))


def compare(groups: Mapping[str, Sequence[str | os.PathLike[str]]]) -> Comparison:
    """Compares the detectors of each name with those of the first.

    Args:
        groups: Name -> the work_dirs of its runs (seeds).

    Raises:
        InputError: There are fewer than two names, a name has no work_dir, a work_dir is named twice or unreadable.
    """
    if len(groups) < 2:
        given = ', '.join(groups) or 'none'
        raise InputError(
            f'got {len(groups)} name(s) to compare ({given}), expected at least 2, the control first; add one'
        )
    for name, work_dirs in groups.items():
        if not work_dirs:
            raise InputError(f'{name} has no work_dir; give at least one')
    _refuse_repeated([Path(work_dir) for work_dirs in groups.values() for work_dir in work_dirs])
    results = {name: tuple(read_work_dir(path) for path in work_dirs) for name, work_dirs in groups.items()}
    summary = {name: _statistics(runs) for name, runs in results.items()}
    control = next(iter(summary.values()))
    differences = {
        name: {metric: _difference(values[metric].mean, control[metric].mean) for metric in METRICS}
        for name, values in summary.items()
    }
    return Comparison(results, summary, differences, _settings([run for runs in results.values() for run in runs]))


def _refuse_best(checkpoint: str, source: Path) -> None:
    name = Path(checkpoint).name
    if name.startswith('best_'):
        raise InputError(f'{source} tested {name}, expected the last checkpoint, not the best; test epoch_N.pth')


def _refuse_repeated(work_dirs: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for work_dir in work_dirs:
        if work_dir.resolve() in seen:
            raise InputError(f'the work_dir {work_dir} is given twice, expected once; remove one')
        seen.add(work_dir.resolve())


def _statistics(runs: Sequence[TransferResult]) -> dict[str, Statistic]:
    return {metric: Statistic.of([run.evaluation.metrics[metric] for run in runs]) for metric in METRICS}


def _difference(mean: float | None, control: float | None) -> float | None:
    return None if mean is None or control is None else mean - control


def _settings(runs: Sequence[TransferResult]) -> dict[str, dict[str, Any]]:
    """Returns the settings that differ, including those of the evaluation."""
    evaluations: dict[str, dict[str, Any]] = {
        'evaluation.epoch': {str(run.work_dir): run.evaluation.epoch for run in runs},
        'evaluation.iteration': {str(run.work_dir): run.evaluation.iteration for run in runs},
        'evaluation.run': {str(run.work_dir): run.evaluation.run for run in runs},
    }
    if None in evaluations['evaluation.iteration'].values():  # MMEngine's logs do not give it
        del evaluations['evaluation.iteration']
    differing = {key: values for key, values in evaluations.items() if len(set(values.values())) > 1}
    return differing | settings_that_differ({str(run.work_dir): run.config for run in runs})
