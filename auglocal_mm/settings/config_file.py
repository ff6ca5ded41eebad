"""Reads the config of a tool and reports what is wrong with it before anything is built."""

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import PretrainedInit

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.packaged import CONFIGS, config_path
from auglocal_mm.private import base_paths
from auglocal_mm.settings.config_checks import check_config
from auglocal_mm.settings.config_names import refuse_changes_without_effect, refuse_names_without_effect


def read_config_file(path: str, changes: Mapping[str, Any] | None = None) -> Config:
    """The config of a file with the overrides of a command line.

    Args:
        path: Of the file, or the name of a packaged config (see :func:`auglocal_mm.files.packaged.config_path`).
        changes: Values by dotted keys.

    Raises:
        InputError: There is no such file, it cannot be read, an override has no place in it, or a value is out of range.
    """
    path = config_path(path)
    parsed = parse_config(path, 'config file', os.path.realpath(CONFIGS))
    if str(path).endswith('.py'):
        refuse_names_without_effect(Path(path))
    # A config in pure Python holds classes: as their names it can be changed, written and read like any other.
    config = Config(parsed.to_dict(), cfg_text=parsed.text, filename=parsed.filename)
    refuse_changes_without_effect(config, changes or {})
    merge_changes(config, changes or {})
    check_config(config)
    _name_initializers(config)
    _drop_scopes_of_functions(config)
    return config


def parse_config(path: str | Path, kind: str, folder: str) -> Config:
    """The content of a file written as a config.

    Args:
        path: Of the file.
        kind: What the file is, for errors.
        folder: Where such files are, for errors.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """
    if not is_there(path):
        raise InputError(f'there is no {kind} {path}; see the folder {folder}')
    try:
        _check_bases(str(path))
        return Config.fromfile(path)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f'{path} needs {error.filename}, which does not exist; correct its _base_') from error
    except PermissionError as error:
        raise InputError(f'{error.filename} cannot be read ({error.strerror}); correct its permissions') from error
    except RecursionError as error:
        raise InputError(f'{path} inherits from itself; correct _base_') from error
    except Exception as error:  # a config is a program and may raise anything
        raise InputError(
            f'{path}, or a config that it inherits from, cannot be read ({type(error).__name__}: {error}); correct it'
        ) from error


def _check_bases(path: str) -> None:
    """Refuses what a config inherits from where it is not a regular file: MMEngine opens it as one."""
    for base in base_paths(path):
        if is_there(base):
            _check_bases(base)


def merge_changes(config: Config, changes: Mapping[str, Any]) -> None:
    """Applies the overrides of a command line to ``config``.

    Raises:
        InputError: One has no place there.
    """
    try:
        config.merge_from_dict(copy.deepcopy(dict(changes)))  # MMEngine takes _delete_ out of what it merges
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = error.args[0] if error.args else error
        raise InputError(f'--cfg-options has no place in the config: {text}') from error


def _name_initializers(part: Any) -> None:
    """Writes ``'Pretrained'`` wherever it is meant: under another name MMEngine runs it first, and what follows undoes it."""
    if isinstance(part, dict | Config):
        if part.get('type') is PretrainedInit or str(part.get('type')).split('.')[-1] in (
            'Pretrained',
            'PretrainedInit',
        ):
            part['type'] = 'Pretrained'
        part = list(part.values())
    for each in part if isinstance(part, list | tuple) else ():
        _name_initializers(each)


def _drop_scopes_of_functions(config: Config) -> None:
    """Removes the ``_scope_`` that a ``_base_`` in a package adds: MMEngine would call ``collate_fn`` with it."""
    for loader in (value for name, value in config.items() if name.endswith('_dataloader') and isinstance(value, dict)):
        if isinstance(loader.get('collate_fn'), dict):
            loader['collate_fn'].pop('_scope_', None)
