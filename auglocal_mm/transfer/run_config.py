"""The settings of runs, and those in which the runs differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.run_record import plain, read_record
from auglocal_mm.weights.record_text import dataset_text

NOT_SET = '(not set)'
RUN_IDENTITY = ('work_dir', 'seed', 'randomness', 'load_from', 'resume', 'launcher', 'model.backbone.init_cfg')


@dataclass(frozen=True)
class RunConfig:
    """The config of a run.

    Attributes:
        path: Its file.
        values: Its nested values.
    """

    path: Path
    values: Mapping[str, Any]

    def get(self, dotted: str) -> Any:
        """Returns the value at a dotted key such as ``model.backbone.init_cfg``, or None."""
        value: Any = self.values
        for key in dotted.split('.'):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def training_dataset(self) -> Mapping[str, Any] | None:
        """The data set that is trained on, without what is wrapped around it."""
        dataset = self.get('train_dataloader.dataset')
        while isinstance(dataset, Mapping) and 'dataset' in dataset:
            dataset = dataset['dataset']
        return dataset if isinstance(dataset, Mapping) else None

    @property
    def data(self) -> str | None:
        """That data set, such as ``imagenet (ImageFolder)``."""
        given = self.training_dataset
        if given is None:
            return None
        return dataset_text(
            str(given.get('type')), given.get('name') or PurePath(str(given.get('data_root') or '')).name
        )


def read_run_config(work_dir: Path, evaluated_in: Path) -> RunConfig:
    """Reads the config of the run that logged an evaluation.

    Args:
        work_dir: The work_dir of the run.
        evaluated_in: Its folder ``work_dir/<timestamp>``. The copy of the config there is preferred, because the one
            in ``work_dir`` is overwritten by each later run.

    Raises:
        InputError: There is no config in the form that MMEngine dumps.
    """
    copy = evaluated_in / 'vis_data' / 'config.py'
    paths = [copy] if is_there(copy) else sorted(work_dir.glob('*.py'), key=lambda path: -path.stat().st_mtime)
    for path in paths:
        values = read_record(path)
        if values:  # one that was cut may be empty
            return RunConfig(path, values)
    raise InputError(
        f'{paths[0] if paths else work_dir} contains no config as MMEngine dumps it, which the report needs; '
        'restore it from the log of the run, or train again'
    )


def settings_that_differ(configs: Mapping[str, RunConfig]) -> dict[str, dict[str, Any]]:
    """Compares configs, apart from the settings that identify a run (``RUN_IDENTITY``).

    Returns:
        Dotted key -> name of the run -> its value, or ``NOT_SET``, for every key whose values differ.
    """
    settings = {run: _dotted(_without_wrapper(plain(config.values))) for run, config in configs.items()}
    differing = {}
    for key in sorted({key for values in settings.values() for key in values}):
        values = {run: settings[run].get(key, NOT_SET) for run in settings}
        first, *others = values.values()
        if any(other != first for other in others) and not _identifies_run(key):
            differing[key] = values
    return differing


def _without_wrapper(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the model itself under ``model`` where ``tools/test.py --tta`` has wrapped it."""
    model = settings.get('model')
    if not isinstance(model, dict) or not isinstance(model.get('module'), dict):
        return settings
    wrapper = {key: value for key, value in model.items() if key != 'module'}
    return {**settings, 'model': model['module'], 'tta_model': wrapper}


def _identifies_run(key: str) -> bool:
    return any(key == name or key.startswith(f'{name}.') for name in RUN_IDENTITY)


def _dotted(value: Any, prefix: str = '') -> dict[str, Any]:
    """Flattens dicts and lists of dicts; any other value is a leaf."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _dotted(item, f'{prefix}.{name}').items()}
    return {prefix.removeprefix('.'): value}
