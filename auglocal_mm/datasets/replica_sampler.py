"""The images of one replica of layer-parallel training, whose processes all see the same batches."""

import math
from typing import Any

from mmengine.dataset import DefaultSampler, InfiniteSampler

from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATA_SAMPLERS
from auglocal_mm.runtime.grid import num_replicas, replica_index


@DATA_SAMPLERS.register_module()
def replica_sampler(dataset: Any, sampler: dict[str, Any], seed: int | None = None) -> DefaultSampler | InfiniteSampler:
    """MMEngine's sampler with the share of this replica, in place of that of this process.

    Args:
        dataset: To sample from.
        sampler: Config of MMEngine's sampler.
        seed: Of its order.

    Raises:
        InputError: The sampler is of another type.
    """
    built: Any = DATA_SAMPLERS.build(sampler, default_args={'dataset': dataset, 'seed': seed})
    if not isinstance(built, DefaultSampler | InfiniteSampler):
        raise InputError(
            f'train_dataloader.sampler.type is {type(built).__name__}, whose share of the images depends on the number of '
            'processes; with layer_parallel use DefaultSampler or InfiniteSampler'
        )
    built.rank, built.world_size = replica_index(), num_replicas()
    if isinstance(built, DefaultSampler):
        missing = 0 if built.round_up else built.rank
        built.num_samples = math.ceil((len(dataset) - missing) / built.world_size)
        built.total_size = built.num_samples * built.world_size if built.round_up else len(dataset)
    return built
