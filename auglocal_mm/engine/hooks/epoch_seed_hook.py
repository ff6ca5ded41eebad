"""Makes all randomness depend only on the seed and the epoch, or on the iteration in training by iterations."""

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner, set_random_seed

from auglocal_mm.datasets.wrappers import inner_datasets
from auglocal_mm.engine.passes import PassSampler, counts_iterations, finished_passes
from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime.executor import mixed_seed
from auglocal_mm.runtime.grid import replica_index


@HOOKS.register_module()
class EpochSeedHook(DistSamplerSeedHook):
    """Seeds the sampler, the augmentation and the network (dropout, stochastic depth) before each epoch.

    A run that is stopped and resumed thus continues as if it had never stopped. Training by iterations can stop within a
    pass over the data: there the network is seeded before each iteration.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Gives the epoch to the sampler, seed and epoch to the data set if it takes them, and seeds all generators."""
        super().before_train_epoch(runner)
        if not counts_iterations(runner):
            _set_epoch(runner, runner.epoch)
            _seed_generators(runner.seed, runner.epoch)
            return
        loader = runner.train_dataloader
        _set_epoch(runner, finished_passes(runner, runner.iter))
        if isinstance(loader.sampler, InfiniteSampler):
            loader.batch_sampler.sampler = PassSampler(loader.sampler, runner.iter * loader.batch_size)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seeds all generators, in training by iterations."""
        if counts_iterations(runner):
            _seed_generators(runner.seed, runner.iter)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Gives the data set the next pass before its first image is read, in training by iterations."""
        if counts_iterations(runner):
            _set_epoch(runner, finished_passes(runner, runner.iter + 1))


def _set_epoch(runner: Runner, epoch: int) -> None:
    for dataset in inner_datasets(runner.train_dataloader.dataset):
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.seed, epoch)


def _seed_generators(seed: int, step: int) -> None:
    set_random_seed(mixed_seed(seed, step) // 2 + replica_index())  # less than 2**32
