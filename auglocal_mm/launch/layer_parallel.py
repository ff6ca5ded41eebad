"""The key ``layer_parallel`` of a config: how many processes share the local modules of one network."""

import os
from collections.abc import Mapping, Sequence

from mmengine.config import Config
from mmengine.dist import get_world_size

from auglocal_mm.errors import InputError
from auglocal_mm.launch.watch import start_watch
from auglocal_mm.runtime.grid import arrange_processes, forget_grid


def layer_parallel_settings(config: Config) -> tuple[int, Sequence[int] | None]:
    """The number of processes that share a network, and the indices of the modules with which they begin, if given.

    Raises:
        InputError: They are of the wrong type or out of range.
    """
    given = config.get('layer_parallel') or 1
    settings = dict(given) if isinstance(given, Mapping) else {'num': given}
    number, splits = settings.pop('num', None), settings.pop('splits', None)
    number = get_world_size() if number == 'auto' else number
    if settings or not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(
            f"layer_parallel is {given!r}; expected a number of processes, 'auto' for all of them, or dict(num=4, splits=[3, 7, "
            '12]) with the indices of the local modules with which the second and all further ones begin'
        )
    if splits is not None and (not isinstance(splits, Sequence) or len(splits) != number - 1):
        raise InputError(f'layer_parallel.splits is {splits!r}; expected {number - 1} indices for {number} processes')
    return number, splits


def set_up_layer_parallel(config: Config) -> None:
    """Arranges the processes, which have joined, and adapts the config to them.

    Raises:
        InputError: ``layer_parallel`` is wrong, or does not divide the number of processes. Only the first process says so.
        SystemExit: In the others then.
    """
    try:
        number, splits = layer_parallel_settings(config)
        processes = get_world_size()
        if processes % number:
            raise InputError(
                f'layer_parallel is {number}, but there are {processes} processes; start a multiple of {number}, as in '
                f'torchrun --nproc_per_node {number} tools/train.py CONFIG --launcher pytorch'
            )
    except InputError:
        if int(os.environ.get('RANK', '0')) > 0:
            raise SystemExit(1) from None
        raise
    forget_grid()
    if number == 1:
        return
    start_watch()
    arrange_processes(number)
    hooks = list(config.get('custom_hooks') or [])
    config.custom_hooks = [*hooks, dict(type='auglocal_mm.LayerParallelHook', splits=splits)]
    loader = config.train_dataloader
    loader.sampler = dict(type='auglocal_mm.replica_sampler', sampler=loader.sampler)
    if 'base_batch_size' in config.get('auto_scale_lr', {}):
        config.auto_scale_lr.base_batch_size *= number  # MMEngine multiplies the batch size by the number of processes
