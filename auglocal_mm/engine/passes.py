"""Passes over the training data, also where a training counts iterations."""

from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import Sampler


def counts_iterations(runner: Runner) -> bool:
    """Whether training counts iterations: MMEngine takes it for one long epoch then."""
    return isinstance(runner.train_loop, IterBasedTrainLoop)


def finished_passes(runner: Runner, iterations: int) -> int:
    """How often all training images were seen in so many iterations."""
    loader = runner.train_dataloader
    if counts_iterations(runner) and isinstance(loader.sampler, InfiniteSampler):
        return iterations * loader.batch_size * get_world_size() // len(loader.dataset)
    return iterations // len(loader)


class IndexOfPass(int):
    """The index of an image, and in which pass over the data it is read; shifted into a part of a joined data set too."""

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
    """An ``InfiniteSampler`` whose indices tell their pass.

    Workers read ahead, past the end of a pass: what the process that trains says of its pass comes too late for them.

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
