"""The base of all data sets of labelled images: reproducible augmentation and checks of its output."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from auglocal_mm.datasets.transforms import build_transform
from auglocal_mm.errors import InputError


class LabelledImages(Dataset, metaclass=ABCMeta):
    """Images with one label each.

    The augmentation of an image depends only on seed, epoch, index and repetition (in a wrapper), not on the number of
    workers or on resuming. :meth:`set_epoch` must be called before each epoch, or all epochs get the same augmentation.

    Args:
        classes: Names of the classes in the order of their labels.
        labels: The label of every image.
        transforms: Configs or callables, applied one after the other to a uint8 image (3, H, W) in RGB. They must return
            such an image: the model normalises it.

    Attributes:
        labels: The label of every image.

    Raises:
        InputError: A label is out of range.
    """

    def __init__(
        self, classes: Sequence[str], labels: Sequence[int], transforms: Sequence[dict[str, Any] | Callable] = ()
    ) -> None:
        outside = sorted({label for label in labels if not 0 <= label < len(classes)})
        if outside:
            raise InputError(
                f'{type(self).__name__} has labels outside its {len(classes)} classes, such as {outside[0]}; expected 0 to '
                f'{len(classes) - 1}; check data_root, or restore the files, which may be damaged'
            )
        self._classes, self.labels = list(classes), list(labels)
        self._transform = v2.Compose([v2.ToImage(), *map(build_transform, transforms), v2.ToPureTensor()])
        # Workers, also persistent ones, read this through shared memory.
        self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Shares the memory again after ``copy.deepcopy``, which MMEngine applies to configs."""
        self.__dict__.update(state)
        self._seed_and_epoch.share_memory_()

    @property
    def metainfo(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes in the order of their labels; MMEngine saves them in checkpoints."""
        return {'classes': tuple(self._classes)}

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Sets the seed and epoch of the augmentation, from the next iteration over the data loader on.

        Args:
            seed: The seed of the run, not negative.
            epoch: The epoch, from 0.
        """
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any] | None:
        """Reads and augments one image.

        Returns:
            ``inputs``, a uint8 tensor of shape (3, H, W) in RGB, and ``data_samples``, the label; or ``None`` if
            the image is left out.

        Raises:
            InputError: The transforms fail, or do not return a uint8 image.
        """
        return self.draw(index)

    def draw(self, index: int, repetition: int = 0) -> dict[str, Any] | None:
        """As ``dataset[index]``, with a new augmentation for every repetition of the image within an epoch."""
        seed, epoch = self._seed_and_epoch.tolist()
        epoch = getattr(index, 'epoch', epoch)
        index = range(len(self))[index]
        image = self.read(index)
        if image is None:
            return None
        mixed = int(np.random.SeedSequence([seed, epoch, index, repetition]).generate_state(1)[0])
        return {'inputs': self._augment(image, index, mixed), 'data_samples': self.labels[index]}

    def full_init(self) -> None:
        """Does nothing; MMEngine's wrappers call it."""

    def get_cat_ids(self, index: int) -> list[int]:
        """The labels of an image, by which ``ClassBalancedDataset`` repeats it."""
        return [self.labels[index]]

    @abstractmethod
    def read(self, index: int) -> Tensor | Image.Image | None:
        """One image in RGB before augmentation, uint8; ``None`` to leave it out."""

    def describe(self, index: int) -> str:
        """The name of an image in messages."""
        return f'image {index}'

    def _augment(self, image: Tensor | Image.Image, index: int, seed: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would also seed the GPUs.
            torch.default_generator.manual_seed(seed)
            try:
                inputs = self._transform(image)
            except (ValueError, TypeError, RuntimeError) as error:
                raise InputError(
                    f'the transforms fail on {self.describe(index)} ({error}); correct transforms'
                ) from error
        if not isinstance(inputs, torch.Tensor) or inputs.dtype != torch.uint8 or inputs.shape[:-2] != (3,):
            found = (
                f'{inputs.dtype} {tuple(inputs.shape)}' if isinstance(inputs, torch.Tensor) else type(inputs).__name__
            )
            raise InputError(
                f'the transforms return {found} for {self.describe(index)}, expected a uint8 image (3, height, width); '
                'remove those that change its type (the data_preprocessor normalises images)'
            )
        return inputs
