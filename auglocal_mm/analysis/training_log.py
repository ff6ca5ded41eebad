"""The curves of a training: losses and accuracies of every local module, and the validation."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from auglocal_mm.errors import InputError


def read_curves(work_dir: Path) -> dict[str, list[tuple[int, float]]]:
    """All scalars of a run, from the logs of all its starts.

    Args:
        work_dir: The work_dir of the run.

    Returns:
        For each name (``'local/stem/loss'``, ``'accuracy/top1'``, ...) pairs of step and value, ascending in steps. Where
        a resumed run wrote a step again, the later value counts.

    Raises:
        InputError: There is no log, or it is damaged.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise InputError(f'{work_dir} holds no log (*/vis_data/scalars.json); give the work_dir of a training')
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for log in logs:
        for number, line in enumerate(_whole_lines(log), start=1):
            record = _record(line)
            if record is None:
                raise InputError(f'line {number} of {log} is no JSON with a step; remove that line')
            for name, value in record.items():
                if isinstance(value, int | float) and name not in ('step', 'epoch', 'iter'):
                    curves[name][int(record['step'])] = float(value)
    return {name: sorted(values.items()) for name, values in curves.items()}


def _whole_lines(log: Path) -> list[str]:
    """The lines of a log; the last one of a run that was killed may be cut, and is left out."""
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines(keepends=True)
    return [line for line in lines if line.endswith('\n')]


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get('step'), int | float) else None
