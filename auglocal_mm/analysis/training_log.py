"""The curves of a training: losses and accuracies of every local module, and the validation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.files.json_file import Number, Percent, fit
from auglocal_mm.files.scalar_log import Line
from auglocal_mm.files.training_logs import newest_training

Curves = Mapping[str, Sequence[tuple[int, float]]]
"""Pairs of step and value, ascending in step, by the name of a scalar, such as ``'local/stem/loss'``."""


@dataclass(frozen=True)
class TrainingLog:
    """What a training logged, from its start and all resumes. If a step was logged again, the later value counts.

    Attributes:
        training: By iteration.
        validation: By epoch, or by iteration in training by iterations.
        starts: Folders of the start and of all resumes, in order: ``work_dir/<timestamp>``.
    """

    training: Curves
    validation: Curves
    starts: Sequence[Path]

    @property
    def newest(self) -> Path:
        """Folder of the last resume, or of the start."""
        return self.starts[-1]


def read_log(work_dir: Path) -> TrainingLog:
    """Reads the logs of the newest training in a work_dir.

    Raises:
        InputError: There is no log, it is damaged, or it is not known which of several trainings is the newest.
    """
    logs = newest_training(work_dir, lambda line: line.is_validation)
    if not logs:
        raise InputError(f'{work_dir} has no log (*/vis_data/scalars.json); give the work_dir of a training')
    return TrainingLog(_curves(logs, False), _curves(logs, True), [path.parents[1] for path in sorted(logs)])


def read_curves(work_dir: Path) -> dict[str, Sequence[tuple[int, float]]]:
    """All scalars of the newest training in a work_dir, as of :func:`read_log`.

    Args:
        work_dir: The work_dir of the run.

    Returns:
        For each name (``'local/stem/loss'``, ``'accuracy/top1'``, ...) pairs of step and value, ascending in step. What is
        logged of both, such as ``'time'``, is that of the training.

    Raises:
        InputError: As :func:`read_log`.
    """
    log = read_log(work_dir)
    return {**log.validation, **log.training}


def _curves(logs: Mapping[Path, Sequence[Line]], validation: bool) -> dict[str, Sequence[tuple[int, float]]]:
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for path, lines in logs.items():
        for line in lines:
            if line.is_validation is validation:
                for name, value in line.scalars.items():
                    kind = Percent if name.startswith('accuracy/') else Number
                    curves[name][line.step] = fit(value, kind, f'{name} in {path}', 'restore the file')
    return {name: sorted(values.items()) for name, values in curves.items()}
