"""Reads the config of a tool: what is wrong with it is said before anything is built."""

import argparse
import copy
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from auglocal_mm.engine.config_checks import check_config
from auglocal_mm.errors import InputError


class CfgOptions(DictAction):
    """``--cfg-options`` as the OpenMMLab tools have it; what is no ``key=value`` is refused in a sentence."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Reads ``values`` into a dict."""
        wrong = [each for each in values if '=' not in each]
        if wrong:
            parser.error(f'{option_string} has {wrong[0]!r}; expected key=value, as in train_cfg.max_epochs=5')
        super().__call__(parser, namespace, values, option_string)


def read_config_file(path: str, changes: Mapping[str, Any] | None = None) -> Config:
    """The config of a file with the changes of a command line.

    Args:
        path: Of the file.
        changes: Values by dotted keys.

    Raises:
        InputError: There is no such file, it cannot be read, a change has no place in it, or a value is out of range.
    """
    config = parse_config(path, 'config file', 'configs/')
    merge_changes(config, changes or {})
    check_config(config)
    return config


def parse_config(path: str | Path, kind: str, folder: str) -> Config:
    """The content of a file that is written like a config.

    Args:
        path: Of the file.
        kind: What the file is, for errors.
        folder: Where such files are, for errors.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """
    if not Path(path).is_file():
        raise InputError(f'there is no {kind} {path}; see the folder {folder}')
    try:
        return Config.fromfile(path)
    except FileNotFoundError as error:
        raise InputError(f'{path} needs {error.filename}, which does not exist; correct its _base_') from error
    except PermissionError as error:
        raise InputError(f'{error.filename} may not be read ({error.strerror}); correct its permissions') from error
    except RecursionError as error:
        raise InputError(f'{path} inherits from itself in the end; correct _base_') from error
    except Exception as error:  # a config is a program: whatever it raises is its own
        raise InputError(
            f'{path}, or a config that it inherits from, cannot be read ({type(error).__name__}: {error}); correct it'
        ) from error


def merge_changes(config: Config, changes: Mapping[str, Any]) -> None:
    """Writes the changes of a command line into ``config``.

    Raises:
        InputError: One has no place there, or is misspelt.
    """
    for key in {key.split('.')[0] for key in changes} - set(config):
        similar = difflib.get_close_matches(key, list(config), n=1, cutoff=0.8)
        if similar:
            raise InputError(f'the config has no {key!r}; did you mean {similar[0]}?')
    try:
        config.merge_from_dict(copy.deepcopy(dict(changes)))  # MMEngine takes _delete_ out of what it merges
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = error.args[0] if error.args else error
        raise InputError(f'--cfg-options has no place in the config: {text}') from error
