"""Lets the settings of a config take effect in a resumed run, where MMEngine would keep those of the checkpoint."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.optim import SGD, Optimizer

from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.errors import InputError

COUNTERS = ('last_step', 'base_values', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter')
"""What a scheduler keeps besides its settings; so is all that starts with an underscore."""
STATEFUL = ('amsgrad', 'centered', 'momentum')
"""Settings of PyTorch's optimizers that need a state, which all but SGD make in the first step."""
FIRST = ('Adagrad.initial_accumulator_value', 'Rprop.lr')
"""Settings that are only read before the first step."""
SCALING = ('growth_factor', 'backoff_factor', 'growth_interval')
"""Settings among the state of a loss scaler."""


def apply_settings(runner: Runner, checkpoint: dict[str, Any], source: str) -> None:
    """Puts the settings of the run's config into a checkpoint that MMEngine is about to resume it from.

    Without a change, the checkpoint stays as it is. Otherwise schedulers start afresh and step to where the checkpoint is,
    so that learning rates are what they would be had the settings been these from the start; momentum stays.

    Raises:
        InputError: A setting cannot take effect any more.
    """
    _refuse(runner, checkpoint, source)
    _take_seed(runner, checkpoint)
    optimizer, schedulers = checkpoint['optimizer'], runner.param_schedulers or []
    groups = runner.optim_wrapper.optimizer.param_groups
    changed = [
        *_set_position(runner, checkpoint, source),
        *_changed_groups(optimizer['param_groups'], runner.optim_wrapper.optimizer, source),
        *_changed_schedulers(checkpoint.get('param_schedulers') or [], schedulers),
        *_apply_scaling(runner, checkpoint),
    ]
    if not changed:
        return
    if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
        raise InputError(
            f'{_listed(changed)}: changed since {source}, but a scheduler that follows a metric, such as ReduceOnPlateauLR, '
            'cannot be put where it would be; resume with the old settings, or start from these weights with load_from'
        )
    _replay(schedulers, checkpoint['meta'])
    optimizer['param_groups'] = [
        {**group, 'params': saved['params']} for group, saved in zip(groups, optimizer['param_groups'], strict=True)
    ]
    optimizer['base_param_settings'] = runner.optim_wrapper.base_param_settings
    checkpoint['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
    print_log(f'Changed since {source}, and now as if it had been so from the start: {_listed(changed)}', 'current')


def _refuse(runner: Runner, checkpoint: Mapping[str, Any], source: str) -> None:
    meta, loop = checkpoint['meta'], runner.train_loop
    seed, unit = runner.cfg.get('randomness', {}).get('seed'), 'iter' if counts_iterations(runner) else 'epoch'
    done, asked = meta[unit], loop.max_iters if counts_iterations(runner) else loop.max_epochs
    if done > asked:
        raise InputError(
            f'train_cfg.max_{unit}s is {asked}, but {source} has {done} behind it; set {done} or more, or resume from an '
            'earlier checkpoint'
        )
    if None not in (seed, meta.get('seed')) and seed != meta['seed']:
        raise InputError(
            f'randomness.seed is {seed}, but {source} was trained with {meta["seed"]}, which a resumed run keeps; set it to '
            f'{meta["seed"]}, or start from these weights with load_from'
        )
    trained, optimizer = meta.get('optimizer'), type(runner.optim_wrapper.optimizer).__name__
    if trained not in (None, optimizer):
        raise InputError(
            f'optim_wrapper.optimizer.type is {optimizer}, but {source} was trained with {trained}, whose state it cannot take '
            f'over; set it to {trained}, or start from these weights with load_from'
        )
    if 'ema_state_dict' in checkpoint and not any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise InputError(
            f'{source} holds weights that an EMA hook averaged, but custom_hooks has none: training would go on from the '
            'average; add the hook, or start from these weights with load_from'
        )


def _take_seed(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Hands the seed of the checkpoint to the samplers, which were built with another where the config has none."""
    loader = runner.train_dataloader
    if runner.cfg.get('randomness', {}).get('seed') is None:
        samplers: list[Any] = [loader.sampler, getattr(loader.batch_sampler, 'sampler', None)]
        for sampler in samplers:
            if hasattr(sampler, 'seed'):
                sampler.seed = checkpoint['meta'].get('seed', sampler.seed)


def _set_position(runner: Runner, checkpoint: dict[str, Any], source: str) -> list[str]:
    """Counts iterations as the run does, which starts at the beginning of an epoch unless it knows none."""
    meta, length = checkpoint['meta'], len(runner.train_dataloader)
    before = meta['iter']
    if counts_iterations(runner) or before == meta['epoch'] * length:
        return []
    meta['iter'] = meta['epoch'] * length
    print_log(
        f'{source} has {before} iterations behind it. An epoch has {length} now, and the run goes on from the beginning of '
        f'epoch {meta["epoch"] + 1}, iteration {meta["iter"] + 1}.',
        logger='current',
        level=logging.WARNING,
    )
    depends = any(not scheduler.by_epoch for scheduler in runner.param_schedulers or [])
    return [f'iterations {before} -> {meta["iter"]}'] if depends else []


def _changed_groups(before: Sequence[dict], optimizer: Optimizer, source: str) -> list[str]:
    """Names hyper-parameters of the optimizer that were others before, with both values."""
    now = optimizer.param_groups
    sizes = [[len(group['params']) for group in groups] for groups in (before, now)]
    keys_before, keys_now = (set(_settings(groups[0])) for groups in (before, now))
    if sizes[0] != sizes[1] or (keys_before - keys_now and keys_now - keys_before):
        raise InputError(
            f'optim_wrapper has other groups of parameters ({len(now)}, with {", ".join(_settings(now[0]))}) than {source} '
            f'({len(before)}, with {", ".join(_settings(before[0]))}): optimizer.type or paramwise_cfg was changed; resume '
            'with those that it was trained with, or start from these weights with load_from'
        )
    pairs = [
        (key, group.get(f'initial_{key}', group[key]), other.get(f'initial_{key}', other[key]))
        for group, other in zip(before, now, strict=True)
        for key in _settings(other)
        if key in group
    ]
    changed = [(key, old, new) for key, old, new in pairs if old != new]
    for key, old, new in changed:
        if f'{type(optimizer).__name__}.{key}' in FIRST or (
            key in STATEFUL and not old and not isinstance(optimizer, SGD)
        ):
            raise InputError(
                f'optimizer.{key} is {new}, but {source} was trained with {old}, and the state that depends on it is made at '
                f'the first step; set it to {old}, or start from these weights with load_from'
            )
    return [f'optimizer.{key} {old} -> {new}' for key, old, new in changed]


def _settings(group: Mapping[str, Any]) -> list[str]:
    """The keys of a group of parameters, but for ``initial_lr`` and the like, which schedulers add."""
    return [key for key in group if key != 'params' and key not in [f'initial_{other}' for other in group]]


def _changed_schedulers(before: Sequence[dict[str, Any]], now: Sequence[Any]) -> list[str]:
    """Names settings of schedulers that were others before, with both values."""
    changed = [f'{len(before)} -> {len(now)} schedulers'] if len(before) != len(now) else []
    for old, scheduler in zip(before, now, strict=False):
        new = scheduler.state_dict()
        keys = [key for key in {**old, **new} if not key.startswith('_') and key not in COUNTERS]
        changed += [
            f'{type(scheduler).__name__}.{key} {old.get(key, "none")} -> {new.get(key, "none")}'
            for key in keys
            if old.get(key) != new.get(key)
        ]
    return changed


def _apply_scaling(runner: Runner, checkpoint: dict[str, Any]) -> list[str]:
    """Puts the settings of the run's loss scaler into the states of all, and names those that were others."""
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    own = scaler.state_dict() if scaler is not None else {}
    states = [checkpoint['optimizer'].get('loss_scaler'), *checkpoint.get('local_learning', {}).get('scalers', ())]
    first, changed = checkpoint['meta'].get('first_scale'), []
    keys = [*SCALING] if own else []
    if own and first not in (None, own['scale']):
        changed, keys = [f'loss_scale {first} -> {own["scale"]}'], [*SCALING, 'scale']
    for state in filter(None, states):
        changed += [f'loss_scale.{key} {state[key]} -> {own[key]}' for key in SCALING if own and state[key] != own[key]]
        state.update({key: own[key] for key in keys})
    if not states[0]:
        checkpoint['optimizer'].pop('loss_scaler', None)  # of bfloat16, which a scaler of float16 cannot load
    return changed


def _replay(schedulers: Sequence[Any], meta: Mapping[str, int]) -> None:
    """Steps new schedulers as often as training did until the checkpoint."""
    by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    length = meta['iter'] // meta['epoch'] if meta['epoch'] else 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch misses the steps of the optimizer
        for _epoch in range(meta['epoch']):
            for scheduler in length * by_iteration:
                scheduler.step()
            for scheduler in by_epoch:
                scheduler.step()
        for _ in range(meta['iter'] - meta['epoch'] * length):
            for scheduler in by_iteration:
                scheduler.step()


def _listed(changed: Sequence[str]) -> str:
    different = list(dict.fromkeys(changed))
    return ', '.join(different[:8]) + (f' and {len(different) - 8} more' if len(different) > 8 else '')
