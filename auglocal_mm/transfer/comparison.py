"""Compares detectors whose backbones were pretrained in different ways."""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_log import METRICS
from auglocal_mm.transfer.repeated_runs import refuse_named_twice, refuse_repetitions
from auglocal_mm.transfer.run_config import settings_that_differ
from auglocal_mm.transfer.transfer_result import TransferResult, read_work_dir

CHANGED = 'changed when resumed'
"""Stands among the settings that differ, of which only those of the last start are known."""


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


def compare(groups: Mapping[str, Sequence[str | os.PathLike[str]]]) -> Comparison:
    """Compares the detectors of each name with those of the first.

    Args:
        groups: Name -> the work_dirs of its runs (seeds).

    Raises:
        InputError: There are fewer than two names, a name has no work_dir, a work_dir is named twice or
            unreadable, or a run repeats another one of its name.
    """
    if len(groups) < 2:
        given = ', '.join(groups) or 'none'
        raise InputError(
            f'got {len(groups)} name(s) to compare ({given}), expected at least 2, the control first; add one'
        )
    for name, work_dirs in groups.items():
        if not work_dirs:
            raise InputError(f'{name} has no work_dir; give at least one')
    refuse_named_twice([Path(work_dir) for work_dirs in groups.values() for work_dir in work_dirs])
    results = {name: tuple(read_work_dir(path) for path in work_dirs) for name, work_dirs in groups.items()}
    for runs in results.values():
        refuse_repetitions(runs)
    summary = {name: _statistics(runs) for name, runs in results.items()}
    control = next(iter(summary.values()))
    differences = {
        name: {metric: _difference(values[metric].mean, control[metric].mean) for metric in METRICS}
        for name, values in summary.items()
    }
    return Comparison(results, summary, differences, _settings([run for runs in results.values() for run in runs]))


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
        CHANGED: {str(run.work_dir): ', '.join(run.changed) or 'none' for run in runs},
    }
    if None in evaluations['evaluation.iteration'].values():  # MMEngine's logs do not give it
        del evaluations['evaluation.iteration']
    differing = {key: values for key, values in evaluations.items() if len(set(values.values())) > 1}
    return differing | settings_that_differ({str(run.work_dir): run.config for run in runs})
