"""Values of a config that are out of range or of the wrong type, and would fail deep inside MMEngine."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from auglocal_mm.errors import InputError
from auglocal_mm.settings.config_parts import check_parts, did_you_mean

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
LEAST = {
    **{f'{loader}.batch_size': 1 for loader in LOADERS},
    **{f'{loader}.num_workers': 0 for loader in LOADERS},
    **{f'{loader}.timeout': 0 for loader in LOADERS},
    'env_cfg.dist_cfg.timeout': 1,
    'train_cfg.max_epochs': 1,
    'train_cfg.max_iters': 1,
    'train_cfg.val_interval': 1,
    'default_hooks.logger.interval': 1,
    'optim_wrapper.accumulative_counts': 1,
    'randomness.seed': 0,
    'model.image_size': 1,
    'model.head.num_classes': 1,
}
"""Integers, and the least that each may be."""
PARTS = (
    *LOADERS,
    *(f'{loader}.dataset' for loader in LOADERS),
    *('model', 'model.backbone', 'model.head', 'model.partition', 'model.auxiliary_heads'),
    *('train_cfg', 'optim_wrapper', 'optim_wrapper.optimizer', 'default_hooks', 'randomness'),
)
"""Settings that are dicts, if they are given."""


def check_config(config: Config) -> None:
    """Checks the types and keys of a config's parts and the ranges of its numbers.

    Raises:
        InputError: Something is of the wrong type, unknown or out of range.
    """
    for key in PARTS:
        part = _at(config, key)
        if part is not None and not isinstance(part, Mapping):
            raise InputError(f'{key} is {part!r}; expected a dict')
    for key in LOADERS:
        _check_loader(key, config.get(key) or {})
    for key in ('custom_hooks', 'param_scheduler'):
        _check_dicts(key, config.get(key))
    for key, least in LEAST.items():
        value = _at(config, key)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise InputError(f'{key} is {value!r}; expected an integer of at least {least}')
    if (_at(config, 'randomness.seed') or 0) >= 2**32:
        raise InputError(f'randomness.seed is {config.randomness.seed}; expected less than 2**32')
    check_parts(config)
    _check_clipping(_at(config, 'optim_wrapper.clip_grad'))
    start = config.get('load_from')
    if start is not None and not isinstance(start, str):
        raise InputError(f'load_from is {start!r}; expected the path of a checkpoint')
    rate = _at(config, 'optim_wrapper.optimizer.lr')
    if rate is not None and (not isinstance(rate, int | float) or not 0 <= rate < float('inf')):
        raise InputError(f'optim_wrapper.optimizer.lr is {rate!r}; expected a finite number of at least 0')


def _check_loader(key: str, given: Mapping[str, Any]) -> None:
    known = [*inspect.signature(DataLoader).parameters, 'num_batch_per_epoch']  # the latter is MMEngine's
    unknown = [name for name in given if name not in known]
    if unknown:
        advice = did_you_mean(unknown[0], known) or f'expected some of {", ".join(known)}'
        raise InputError(f'{key} has no key {unknown[0]!r}; {advice}')
    for name, without in (('persistent_workers', False), ('timeout', 0)):
        if given.get(name) and given.get('num_workers', 0) == 0:
            raise InputError(
                f'{key}.{name} is {given[name]}, but num_workers is 0, so there are no workers to keep or wait for; set '
                f'{name} to {without} too'
            )


def _check_clipping(given: Any) -> None:
    if given is None:
        return
    known = {'type', *inspect.signature(clip_grad_norm_).parameters, *inspect.signature(clip_grad_value_).parameters}
    if not isinstance(given, Mapping) or not set(given) <= known - {'parameters'}:
        raise InputError(
            f'optim_wrapper.clip_grad is {given!r}; expected a dict such as dict(max_norm=35, norm_type=2)'
        )
    for key in ('max_norm', 'clip_value'):
        if key in given and (not isinstance(given[key], int | float) or given[key] <= 0):
            raise InputError(f'optim_wrapper.clip_grad.{key} is {given[key]!r}; expected a number above 0')


def _check_dicts(key: str, value: Any) -> None:
    listed = [value] if isinstance(value, Mapping) else value  # one scheduler may stand alone
    fits = isinstance(listed, Sequence) and all(isinstance(each, Mapping) for each in listed)
    if value is not None and not fits:
        raise InputError(f'{key} is {value!r}; expected a list of dicts')


def _at(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split('.'):
        value = value.get(part) if isinstance(value, Mapping | Config) else None
    return value
