"""Passes over the training data, also in training by iterations."""

from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import Sampler

from auglocal_mm.runtime.grid import num_replicas


def counts_iterations(runner: Runner) -> bool:
    """Whether training is by iterations, which MMEngine treats as one long epoch."""
    return isinstance(runner.train_loop, IterBasedTrainLoop)


def finished_passes(runner: Runner, iterations: int) -> int:
    """Number of complete passes over the training images after so many iterations."""
    loader = runner.train_dataloader
    if counts_iterations(runner) and isinstance(loader.sampler, InfiniteSampler):
        return iterations * loader.batch_size * num_replicas() // len(loader.dataset)
    return iterations // len(loader)


class IndexOfPass(int):
    """The index of an image with the pass in which it is read, kept when it is shifted into a part of a joined data set."""

    epoch: int

    @classmethod
    def of(cls, index: int, epoch: int) -> 'IndexOfPass':
        """``index`` in the pass ``epoch``, from 0."""
        made = cls(index)
        made.epoch = epoch
        return made

    def __mod__(self, other: int) -> 'IndexOfPass':
        return self.of(int(self) % other, self.epoch)

    def __sub__(self, other: int) -> 'IndexOfPass':
        return self.of(int(self) - other, self.epoch)


class PassSampler(Sampler[IndexOfPass]):
    """An ``InfiniteSampler`` whose indices carry their pass.

    Workers prefetch past the end of a pass, so that the process that trains cannot tell them in time.

    Args:
        sampler: Yields every ``world_size``-th index of one permutation after the other.
        start: How many this process has drawn before.
    """

    def __init__(self, sampler: InfiniteSampler, start: int) -> None:
        self.sampler, self.start = sampler, start

    def __iter__(self) -> Iterator[IndexOfPass]:
        for drawn, index in enumerate(self.sampler, self.start):
            position = self.sampler.rank + drawn * self.sampler.world_size
            yield IndexOfPass.of(index, position // self.sampler.size)

    def __len__(self) -> int:
        return len(self.sampler)
