"""The key ``layer_parallel`` of a config: how many processes share the local modules of one network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmengine.config import Config
from mmengine.dist import get_world_size

from auglocal_mm.errors import InputError
from auglocal_mm.launch.node import once_per_node
from auglocal_mm.launch.watch import start_watch
from auglocal_mm.planning.sizes import parse_size
from auglocal_mm.runtime.grid import arrange_processes, forget_grid


@dataclass(frozen=True)
class LayerParallelSettings:
    """The key ``layer_parallel``.

    Attributes:
        num: Number of processes that share a network.
        splits: Indices of the modules with which the second and all further processes begin, if given.
        memory: Bytes of each device, if given.
    """

    num: int
    splits: Sequence[int] | None = None
    memory: float | None = None


def layer_parallel_settings(config: Config) -> LayerParallelSettings:
    """What ``layer_parallel`` says; one process where there is none.

    Raises:
        InputError: It is of the wrong type, or out of range.
    """
    given = config.get('layer_parallel') or 1
    settings = dict(given) if isinstance(given, Mapping) else {'num': given}
    number, splits, memory = (settings.pop(key, None) for key in ('num', 'splits', 'memory'))
    number = get_world_size() if number == 'auto' else number
    if settings or not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise InputError(
            f"layer_parallel is {given!r}; expected a number of processes, 'auto' for all of them, or dict(num=4), with "
            'splits=[3, 7, 12], the indices of the local modules with which the second and all further ones begin, or with '
            "memory='24GiB' of each device"
        )
    if splits is not None and (not isinstance(splits, Sequence) or len(splits) != number - 1):
        raise InputError(f'layer_parallel.splits is {splits!r}; expected {number - 1} indices for {number} processes')
    if splits is not None and memory is not None:
        raise InputError(
            f'layer_parallel is {given!r}; memory chooses among all splits, and splits leaves no choice: remove either'
        )
    return LayerParallelSettings(
        number, splits, None if memory is None else parse_size(str(memory), 'layer_parallel.memory')
    )


def set_up_layer_parallel(config: Config) -> None:
    """Arranges the processes, which have joined, and adapts the config to them.

    Raises:
        InputError: ``layer_parallel`` is wrong, does not divide the number of processes, or cannot keep
            ``num_batch_per_epoch``. Only the first process says so.
        SystemExit: In the others then.
    """
    once_per_node(lambda: _check(config))  # and all have joined before one ends with an error
    settings = layer_parallel_settings(config)
    number = settings.num
    forget_grid()
    if number == 1:
        return
    start_watch(config.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
    arrange_processes(number)
    hooks = list(config.get('custom_hooks') or [])
    config.custom_hooks = [
        *hooks,
        dict(type='auglocal_mm.LayerParallelHook', splits=settings.splits, memory=settings.memory),
    ]
    loader = config.train_dataloader
    loader.sampler = dict(type='auglocal_mm.replica_sampler', sampler=loader.sampler)
    if 'base_batch_size' in config.get('auto_scale_lr', {}):
        config.auto_scale_lr.base_batch_size *= number  # MMEngine multiplies the batch size by the number of processes


def _check(config: Config) -> None:
    number, processes = layer_parallel_settings(config).num, get_world_size()
    if processes % number:
        raise InputError(
            f'layer_parallel is {number}, but there are {processes} processes; start a multiple of {number}, as in '
            f'torchrun --nproc_per_node {number} tools/train.py CONFIG --launcher pytorch'
        )
    if number > 1 and config.train_dataloader.get('num_batch_per_epoch') is not None:
        raise InputError(
            f'train_dataloader.num_batch_per_epoch is {config.train_dataloader.num_batch_per_epoch}, which MMEngine counts for '
            'every process, but with layer_parallel those of a replica share their batches; remove it, and set '
            'train_cfg.max_iters for a shorter training'
        )
