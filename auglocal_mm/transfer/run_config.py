"""The settings of runs, and in which of them the runs differ."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError

NOT_SET = '(not set)'
RUN_IDENTITY = ('work_dir', 'seed', 'randomness', 'load_from', 'resume', 'launcher', 'model.backbone.init_cfg')


@dataclass(frozen=True)
class RunConfig:
    """A dumped config.

    Attributes:
        path: Its file.
        text: Its text.
        values: Its values, nested; None where MMEngine could not load it.
    """

    path: Path
    text: str
    values: dict[str, Any] | None

    def get(self, dotted: str) -> Any:
        """Returns the value at a dotted key such as ``model.backbone.init_cfg``, or None."""
        value: Any = self.values
        for key in dotted.split('.'):
            value = value.get(key) if isinstance(value, dict) else None
        return value


def read_run_config(work_dir: Path, evaluated_in: Path) -> RunConfig:
    """Reads the config of the run that logged an evaluation.

    Args:
        work_dir: The work_dir of the run.
        evaluated_in: Its folder ``work_dir/<timestamp>``. The copy of the config there is preferred, because the one
            in ``work_dir`` is overwritten by each later run.

    Raises:
        InputError: There is no config.
    """
    copy = evaluated_in / 'vis_data' / 'config.py'
    paths = [copy] if copy.is_file() else sorted(work_dir.glob('*.py'), key=lambda path: path.stat().st_mtime)
    if not paths:
        raise InputError(f'{work_dir} holds no dumped config (*.py), so its settings cannot be compared; copy it there')
    text = paths[-1].read_text(encoding='utf-8', errors='replace')
    try:
        # Without the custom modules, so that a run can be compared where they are not installed.
        values = Config.fromfile(paths[-1], import_custom_modules=False).to_dict()
    except Exception:  # a config is Python: whatever it raises, its text can still be compared
        values = None
    return RunConfig(paths[-1], text, values)


def settings_that_differ(configs: Mapping[str, RunConfig]) -> dict[str, dict[str, Any]]:
    """Compares configs in everything but what identifies a run (``RUN_IDENTITY``).

    If one of them could not be loaded, all are compared as text, by top-level name.

    Returns:
        Dotted key -> name of the run -> its value, or ``NOT_SET``, for every key that has not one value everywhere.
    """
    loaded = all(config.values is not None for config in configs.values())
    settings = {run: _dotted(config.values) if loaded else _statements(config.text) for run, config in configs.items()}
    differing = {}
    for key in sorted({key for values in settings.values() for key in values}):
        values = {run: settings[run].get(key, NOT_SET) for run in settings}
        first, *others = values.values()
        if any(other != first for other in others) and not _identifies_run(key):
            differing[key] = values
    return differing


def _identifies_run(key: str) -> bool:
    return any(key == name or key.startswith(f'{name}.') for name in RUN_IDENTITY)


def _dotted(value: Any, prefix: str = '') -> dict[str, Any]:
    """Flattens dicts and lists that hold dicts; any other value is a leaf, as JSON would give it back."""
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _dotted(item, f'{prefix}.{name}').items()}
    return {prefix.removeprefix('.'): json.loads(json.dumps(value, default=str))}


def _statements(text: str) -> dict[str, str]:
    """Returns the source of each top-level assignment, in one line and without the paths of checkpoints."""
    _, *parts = re.split(r'^(\w+) *= *', text, flags=re.MULTILINE)
    return {
        name: re.sub(r'checkpoint=([\'"]).*?\1', 'checkpoint=...', ' '.join(source.split()))
        for name, source in zip(parts[::2], parts[1::2], strict=True)
    }
