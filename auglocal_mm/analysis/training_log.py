"""The curves of a training: losses and accuracies of every local module, and the validation."""

from collections import defaultdict
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.files.json_file import Number, fit
from auglocal_mm.files.scalar_log import read_lines


def read_curves(work_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """All scalars of a run, from the logs of its start and of all resumes.

    Args:
        work_dir: The work_dir of the run.

    Returns:
        For each name (``'local/stem/loss'``, ``'accuracy/top1'``, ...) pairs of step and value, ascending in step. If a
        resumed run logged a step again, the later value counts.

    Raises:
        InputError: There is no log, or it is damaged.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise InputError(f'{work_dir} has no log (*/vis_data/scalars.json); give the work_dir of a training')
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for log in logs:
        for line in read_lines(log):
            for name, value in line.scalars.items():
                curves[name][line.step] = fit(value, Number, f'{name} in {log}', 'restore the file')
    return {name: sorted(values.items()) for name, values in curves.items()}
