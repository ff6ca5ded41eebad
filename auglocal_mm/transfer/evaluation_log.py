"""The last COCO evaluation that MMEngine logged in a work_dir."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from auglocal_mm.errors import InputError

AP_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
METRICS = tuple(f'{kind}_{item}' for kind in ('bbox', 'segm') for item in AP_ITEMS)

_WHAT_TO_DO = 'train with validation, or run tools/test.py with --work-dir on this folder'


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a detector on COCO.

    Attributes:
        metrics: AP points (x100) by the names in ``METRICS``; None where there are no such objects or it was not
            measured.
        epoch: The epoch evaluated; None where the log does not say.
        run: What logged it.
        source: The file it was read from.
    """

    metrics: Mapping[str, float | None]
    epoch: int | None
    run: Literal['validation', 'test']
    source: Path


def last_evaluation(work_dir: Path) -> Evaluation:
    """Reads the last validation of a training, or the newest test run where there was no validation.

    It is the last and never the best, because the best of many validations is chosen on the data it is judged by.

    Raises:
        InputError: There is no COCO evaluation, or a metric is no number from 0 to 1 (or -1 for "no such objects").
    """
    # Folders are named by the time of their start, so that the newest is last.
    validations = [
        (path, record)
        for path in sorted(work_dir.glob('*/vis_data/scalars.json'))
        for record in _records(path)
        if _is_validation(record)
    ]
    if validations:
        # max keeps the first of equals: reversed, that is the newest.
        source, record = max(reversed(validations), key=lambda validation: validation[1].get('step', 0))
        return Evaluation(_metrics(record, source), record.get('step'), 'validation', source)
    tests = sorted(path for path in work_dir.glob('*/*.json') if path.stem == path.parent.name)
    if not tests:
        raise InputError(f'{work_dir} holds no evaluation on COCO; {_WHAT_TO_DO}')
    source = tests[-1]
    records = _records(source)
    return Evaluation(_metrics(records[-1] if records else {}, source), None, 'test', source)


def _records(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding='utf-8', errors='replace').strip().split('\n')
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):  # a killed run leaves half a line
                break
            record = None
        if not isinstance(record, dict):
            raise InputError(f'{path}, line {number}, is no JSON object as MMEngine writes it; restore the file')
        records.append(record)
    return records


def _is_validation(record: Mapping[str, Any]) -> bool:
    """Also true of a validation without any detection, which mmdet logs without metrics: it may be the last one."""
    return any(f'coco/{name}' in record for name in METRICS) or ('data_time' in record and 'iter' not in record)


def _metrics(record: Mapping[str, Any], source: Path) -> dict[str, float | None]:
    if not any(f'coco/{name}' in record for name in METRICS):
        raise InputError(
            f'the last evaluation in {source} has no COCO metrics, as when the detector found nothing at all: train it '
            f'longer; or {_WHAT_TO_DO}'
        )
    return {name: _points(record.get(f'coco/{name}', -1), name, source) for name in METRICS}


def _points(value: Any, name: str, source: Path) -> float | None:
    if value == -1:  # COCOeval: no such objects in the annotations
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(
            f'coco/{name} is {value} in the last evaluation in {source}, expected a number from 0 to 1; '
            'look for a diverged training or a foreign log, and evaluate again'
        )
    return round(100 * value, 6)  # 38.2, not 38.199999999999996
