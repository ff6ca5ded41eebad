"""Lets the settings of a config take effect in a resumed run, where MMEngine would keep those of the checkpoint."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch.optim import SGD, Optimizer

from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.errors import InputError
from auglocal_mm.runtime.optimizers import each_wrapper

COUNTERS = ('last_step', 'base_values', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter')
"""State of a scheduler besides its settings, as is everything that starts with an underscore."""
STATEFUL = ('amsgrad', 'centered', 'momentum')
"""Settings of PyTorch's optimizers that need a state, which all but SGD create in the first step."""
FIRST = ('Adagrad.initial_accumulator_value', 'Rprop.lr')
"""Settings that are only read before the first step."""
SCALING = ('growth_factor', 'backoff_factor', 'growth_interval')
"""Settings among the state of a loss scaler."""


def apply_settings(runner: Runner, checkpoint: dict[str, Any], source: str) -> None:
    """Puts the settings of the run's config into a checkpoint that MMEngine is about to resume it from.

    Without a change, the checkpoint stays as it is. Otherwise schedulers start afresh and are stepped to the checkpoint, so
    that learning rates are as if these settings had been used from the start; momentum is kept.

    Raises:
        InputError: A setting can no longer take effect.
    """
    _refuse_other_modules(runner.optim_wrapper, checkpoint['optimizer'], source)
    _refuse(runner, checkpoint, source)
    _take_seed(runner, checkpoint)
    parts = _parts(runner, checkpoint)
    changed = [*_set_position(runner, checkpoint, source), *_apply_scaling(parts, checkpoint['meta'])]
    for part in parts:
        changed += _changed_groups(part.saved['param_groups'], part.wrapper.optimizer, source)
        changed += _changed_schedulers(part.saved_schedulers, part.schedulers)
    if not changed:
        return
    if any(getattr(scheduler, 'need_val_args', False) for part in parts for scheduler in part.schedulers):
        raise InputError(
            f'{_listed(changed)}: changed since {source}, but a scheduler that follows a metric, such as ReduceOnPlateauLR, '
            'cannot be replayed; resume with the old settings, or start from these weights with load_from'
        )
    for part in parts:
        _replay(part.schedulers, checkpoint['meta'])
        groups = zip(part.wrapper.optimizer.param_groups, part.saved['param_groups'], strict=True)
        part.saved['param_groups'] = [{**group, 'params': saved['params']} for group, saved in groups]
        part.saved['base_param_settings'] = part.wrapper.base_param_settings
        part.saved_schedulers[:] = [scheduler.state_dict() for scheduler in part.schedulers]
    print_log(f'Changed since {source}, and applied as if from the start: {_listed(changed)}', 'current')


class _Part(NamedTuple):
    """An optimizer and its schedulers as in the config, and their states in the checkpoint."""

    wrapper: OptimWrapper
    schedulers: Sequence[Any]
    saved: dict[str, Any]
    saved_schedulers: list[dict[str, Any]]


def _parts(runner: Runner, checkpoint: dict[str, Any]) -> list[_Part]:
    """One for each optimizer: that of the whole model, or those of the local modules."""
    schedulers: Any = runner.param_schedulers or {}
    saved: Any = checkpoint.get('param_schedulers') or {}
    if not isinstance(runner.optim_wrapper, OptimWrapperDict):
        saved = checkpoint['param_schedulers'] = saved or []
        return [_Part(runner.optim_wrapper, schedulers or [], checkpoint['optimizer'], saved)]
    checkpoint['param_schedulers'] = saved
    return [
        _Part(wrapper, schedulers.get(name, []), checkpoint['optimizer'][name], saved.setdefault(name, []))
        for name, wrapper in runner.optim_wrapper.items()
    ]


def _refuse_other_modules(optim_wrapper: OptimWrapper, saved: Mapping[str, Any], source: str) -> None:
    """Refuses the optimizers of other local modules, or one for all of them, as saved by earlier versions."""
    own = list(optim_wrapper.keys()) if isinstance(optim_wrapper, OptimWrapperDict) else []
    theirs = [] if 'param_groups' in saved else list(saved)
    if own != theirs:
        raise InputError(
            f'{source} was saved with {_optimizers(theirs)}, but the config has {_optimizers(own)}; resume with the partition '
            'and the version that it was trained with, or start from these weights with load_from'
        )


def _optimizers(modules: Sequence[str]) -> str:
    return f'optimizers of the local modules {_listed(modules)}' if modules else 'one optimizer of the whole model'


def _refuse(runner: Runner, checkpoint: Mapping[str, Any], source: str) -> None:
    meta, loop = checkpoint['meta'], runner.train_loop
    seed, unit = runner.cfg.get('randomness', {}).get('seed'), 'iter' if counts_iterations(runner) else 'epoch'
    done, asked = meta[unit], loop.max_iters if counts_iterations(runner) else loop.max_epochs
    if done > asked:
        raise InputError(
            f'train_cfg.max_{unit}s is {asked}, but {source} was saved after {done}; set it to at least {done}, or resume '
            'from an earlier checkpoint'
        )
    if None not in (seed, meta.get('seed')) and seed != meta['seed']:
        raise InputError(
            f'randomness.seed is {seed}, but {source} was trained with {meta["seed"]}, which a resumed run keeps; set it to '
            f'{meta["seed"]}, or start from these weights with load_from'
        )
    trained, optimizer = meta.get('optimizer'), type(each_wrapper(runner.optim_wrapper)[0].optimizer).__name__
    if trained not in (None, optimizer):
        raise InputError(
            f'optim_wrapper.optimizer.type is {optimizer}, but {source} was trained with {trained}, whose state it cannot '
            f'load; set it to {trained}, or start from these weights with load_from'
        )
    if 'ema_state_dict' in checkpoint and not any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise InputError(
            f'{source} contains weights averaged by an EMA hook, but custom_hooks has no such hook: training would continue '
            'from the average; add the hook, or start from these weights with load_from'
        )


def _take_seed(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Gives the samplers the seed of the checkpoint; they were built with another if the config has none."""
    loader = runner.train_dataloader
    if runner.cfg.get('randomness', {}).get('seed') is None:
        samplers: list[Any] = [loader.sampler, getattr(loader.batch_sampler, 'sampler', None)]
        for sampler in samplers:
            if hasattr(sampler, 'seed'):
                sampler.seed = checkpoint['meta'].get('seed', sampler.seed)


def _set_position(runner: Runner, checkpoint: dict[str, Any], source: str) -> list[str]:
    """Sets the iteration to resume from: the beginning of an epoch, except in training by iterations."""
    meta, length = checkpoint['meta'], len(runner.train_dataloader)
    before = meta['iter']
    if counts_iterations(runner) or before == meta['epoch'] * length:
        return []
    meta['iter'] = meta['epoch'] * length
    print_log(
        f'{source} was saved after {before} iterations. An epoch now has {length}, and the run continues from the beginning of '
        f'epoch {meta["epoch"] + 1}, iteration {meta["iter"] + 1}.',
        logger='current',
        level=logging.WARNING,
    )
    schedulers = [scheduler for part in _parts(runner, checkpoint) for scheduler in part.schedulers]
    depends = any(not scheduler.by_epoch for scheduler in schedulers)
    return [f'iterations {before} -> {meta["iter"]}'] if depends else []


def _changed_groups(before: Sequence[dict], optimizer: Optimizer, source: str) -> list[str]:
    """Lists the hyperparameters of the optimizer that have changed, with both values."""
    now = optimizer.param_groups
    sizes = [[len(group['params']) for group in groups] for groups in (before, now)]
    keys_before, keys_now = (set(_settings(groups[0])) for groups in (before, now))
    if sizes[0] != sizes[1] or (keys_before - keys_now and keys_now - keys_before):
        raise InputError(
            f'optim_wrapper has other parameter groups ({len(now)}, with {", ".join(_settings(now[0]))}) than {source} '
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
                f'optimizer.{key} is {new}, but {source} was trained with {old}, and the state that depends on it is created in '
                f'the first step; set it to {old}, or start from these weights with load_from'
            )
    return [f'optimizer.{key} {old} -> {new}' for key, old, new in changed]


def _settings(group: Mapping[str, Any]) -> list[str]:
    """The keys of a parameter group, except ``initial_lr`` and the like, which schedulers add."""
    return [key for key in group if key != 'params' and key not in [f'initial_{other}' for other in group]]


def _changed_schedulers(before: Sequence[dict[str, Any]], now: Sequence[Any]) -> list[str]:
    """Lists the settings of schedulers that have changed, with both values."""
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


def _apply_scaling(parts: Sequence[_Part], meta: Mapping[str, Any]) -> list[str]:
    """Puts the settings of the run's loss scalers into the saved states, and lists those that have changed."""
    changed = []
    for part in parts:
        scaler = getattr(part.wrapper, 'loss_scaler', None)
        own, state = scaler.state_dict() if scaler is not None else {}, part.saved.get('loss_scaler')
        if not state:
            part.saved.pop('loss_scaler', None)  # of bfloat16, which a scaler of float16 cannot load
        if not state or not own:
            continue
        keys = [key for key in SCALING if state[key] != own[key]]
        changed += [f'loss_scale.{key} {state[key]} -> {own[key]}' for key in keys]
        if meta.get('first_scale') not in (None, own['scale']):
            changed.append(f'loss_scale {meta["first_scale"]} -> {own["scale"]}')
            keys.append('scale')
        state.update({key: own[key] for key in keys})
    return changed


def _replay(schedulers: Sequence[Any], meta: Mapping[str, int]) -> None:
    """Steps new schedulers as often as training did until the checkpoint."""
    by_iteration = [scheduler for scheduler in schedulers if not scheduler.by_epoch]
    by_epoch = [scheduler for scheduler in schedulers if scheduler.by_epoch]
    length = meta['iter'] // meta['epoch'] if meta['epoch'] else 0
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch warns that the optimizer has not stepped
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
