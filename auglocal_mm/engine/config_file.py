"""Reads the config of a tool: what is wrong with it is said before anything is built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError

LEAST = {
    **{f'{name}_dataloader.batch_size': 1 for name in ('train', 'val', 'test')},
    **{f'{name}_dataloader.num_workers': 0 for name in ('train', 'val', 'test')},
    'train_cfg.max_epochs': 1,
    'train_cfg.max_iters': 1,
}
"""Whole numbers, and the least that each may be."""


def read_config_file(path: str, changes: Mapping[str, Any] | None = None) -> Config:
    """The config of a file with the changes of a command line.

    Args:
        path: Of the file.
        changes: Values by dotted keys.

    Raises:
        InputError: There is no such file, it cannot be read, or a number is out of range.
    """
    if not Path(path).is_file():
        raise InputError(f'there is no config file {path}; see the folder configs/')
    try:
        config = Config.fromfile(path)
    except FileNotFoundError as error:
        raise InputError(f'{path} needs {error.filename}, which does not exist; correct its _base_') from error
    except SyntaxError as error:
        raise InputError(f'{path}, or a config that it inherits from, is no Python: {error}') from error
    config.merge_from_dict(dict(changes or {}))
    _check_numbers(config)
    return config


def _check_numbers(config: Config) -> None:
    for key, least in LEAST.items():
        value = _at(config, key)
        if value is not None and (not isinstance(value, int) or value < least):
            raise InputError(f'{key} is {value!r}; expected a whole number of at least {least}')
    rate = _at(config, 'optim_wrapper.optimizer.lr')
    if rate is not None and (not isinstance(rate, int | float) or not 0 <= rate < float('inf')):
        raise InputError(f'optim_wrapper.optimizer.lr is {rate!r}; expected a number that is not negative')


def _at(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split('.'):
        value = value.get(part) if isinstance(value, Mapping | Config) else None
    return value
