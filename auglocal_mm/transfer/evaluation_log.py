"""The last COCO evaluation that MMEngine logged in a work_dir."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue

from auglocal_mm.errors import InputError
from auglocal_mm.files.json_file import read_json
from auglocal_mm.files.scalar_log import Line
from auglocal_mm.files.training_logs import newest_training

AP_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
METRICS = tuple(f'{kind}_{item}' for kind in ('bbox', 'segm') for item in AP_ITEMS)

_ADVICE = 'train with validation, or run tools/test.py with --work-dir set to this folder'


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a detector on COCO.

    Attributes:
        metrics: AP points (x100) by the names in ``METRICS``; None where there are no such objects or it was not
            measured.
        epoch: The epoch evaluated; None where that is unknown.
        run: Whether it was a validation of a training or a test.
        source: The file it was read from.
        iteration: The iteration evaluated; None where that is unknown.
    """

    metrics: Mapping[str, float | None]
    epoch: int | None
    run: Literal['validation', 'test']
    source: Path
    iteration: int | None = None


def last_evaluation(work_dir: Path) -> Evaluation:
    """Reads MMEngine's logs: the last validation of a training, or the newest test run where there was no validation.

    It is the last and never the best: the best of many validations would be selected on the data that it is evaluated on.

    Raises:
        InputError: There is no COCO evaluation, a metric is not a number from 0 to 1 (or -1 for "no such objects"), or there
            are several trainings.
    """
    validations = _validations(work_dir)
    if validations:
        # max keeps the first of equals: reversed, that is the newest.
        source, line = max(reversed(validations), key=lambda validation: validation[1].step)
        return Evaluation(ap_points(line.scalars, source), line.step, 'validation', source)
    tests = sorted(path for path in work_dir.glob('*/*.json') if path.stem == path.parent.name)
    if not tests:
        raise InputError(f'{work_dir} contains no COCO evaluation; {_ADVICE}')
    metrics = read_json(tests[-1], dict[str, JsonValue], _ADVICE)
    return Evaluation(ap_points(metrics, tests[-1]), None, 'test', tests[-1])


def logged_validations(work_dir: Path) -> dict[int, dict[str, float | None]]:
    """AP points of all validations of the last training that MMEngine logged, by ascending step: epoch, or iteration.

    Of a step that was logged again, the later one counts. Those without any detection have no AP, and are left out.

    Raises:
        InputError: As :func:`last_evaluation`.
    """
    found = {
        line.step: ap_points(line.scalars, source)
        for source, line in _validations(work_dir)
        if any(f'coco/{name}' in line.scalars for name in METRICS)
    }
    return dict(sorted(found.items()))


def ap_points(metrics: Mapping[str, Any], source: Path) -> dict[str, float | None]:
    """AP points by the names in ``METRICS``, of what mmdet's ``CocoMetric`` returns.

    Raises:
        InputError: There is no AP, or one is not a number from 0 to 1 (or -1 for "no such objects").
    """
    if not any(f'coco/{name}' in metrics for name in METRICS):
        raise InputError(
            f'the last evaluation in {source} has no COCO metrics, as happens when a detector makes no predictions; train it '
            'longer, or evaluate it on COCO with tools/test.py in a new work_dir'
        )
    return {name: _points(metrics.get(f'coco/{name}', -1), name, source) for name in METRICS}


def _validations(work_dir: Path) -> list[tuple[Path, Line]]:
    """Those of the newest training, in the order in which they were logged, each with its log."""
    training = newest_training(work_dir, _is_validation)
    return [(path, line) for path, lines in training.items() for line in lines if _is_validation(line)]


def _is_validation(line: Line) -> bool:
    """Also true of a validation without any detection, which mmdet logs without metrics: it may be the last one."""
    return any(f'coco/{name}' in line.scalars for name in METRICS) or line.is_validation


def _points(value: Any, name: str, source: Path) -> float | None:
    if value == -1:  # COCOeval: no such objects in the annotations
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(
            f'coco/{name} is {value} in the last evaluation in {source}, expected a number from 0 to 1; '
            'check for a diverged training or a log from elsewhere, and evaluate again'
        )
    return round(100 * value, 6)  # 38.2, not 38.199999999999996
