"""What every data set of labelled images has in common: reproducible augmentation, and checks of what comes out."""

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

    The augmentation of an image depends on seed, epoch, index and repetition (in a wrapper) alone, whatever the number of
    workers and however often the run was resumed. :meth:`set_epoch` must be called before each epoch, or every epoch looks
    the same.

    Args:
        classes: Names of the classes in the order of their labels.
        labels: The label of every image.
        transforms: Configs or callables, applied one after the other to a uint8 image (3, H, W) in RGB. They must leave
            such an image: normalising is the model's part.

    Attributes:
        labels: The label of every image.

    Raises:
        InputError: A label is not that of a class.
    """

    def __init__(
        self, classes: Sequence[str], labels: Sequence[int], transforms: Sequence[dict[str, Any] | Callable] = ()
    ) -> None:
        outside = sorted({label for label in labels if not 0 <= label < len(classes)})
        if outside:
            raise InputError(
                f'{type(self).__name__} has labels outside its {len(classes)} classes, such as {outside[0]}; expected 0 to '
                f'{len(classes) - 1}: the data are of another set, or damaged'
            )
        self._classes, self.labels = list(classes), list(labels)
        self._transform = v2.Compose([v2.ToImage(), *map(build_transform, transforms), v2.ToPureTensor()])
        # Workers, persistent ones too, read this through shared memory.
        self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Shares the memory again after ``copy.deepcopy``, with which MMEngine copies what a config holds."""
        self.__dict__.update(state)
        self._seed_and_epoch.share_memory_()

    @property
    def metainfo(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes in the order of their labels; MMEngine saves it in checkpoints."""
        return {'classes': tuple(self._classes)}

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Sets what the augmentation depends on; takes effect from the next iteration over the data loader.

        Args:
            seed: The run's seed, not negative.
            epoch: The epoch, from 0.
        """
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any] | None:
        """Reads and augments one image.

        Returns:
            ``inputs``, a uint8 tensor of shape (3, H, W) in RGB, and ``data_samples``, the label; or ``None`` where
            the image is left out.

        Raises:
            InputError: The transforms fail, or left something else than a uint8 image.
        """
        return self.draw(index)

    def draw(self, index: int, repetition: int = 0) -> dict[str, Any] | None:
        """As ``dataset[index]``, augmented anew for every repetition of the image within an epoch."""
        seed, epoch = self._seed_and_epoch.tolist()
        epoch = getattr(index, 'epoch', epoch)
        index = range(len(self))[index]
        image = self.read(index)
        if image is None:
            return None
        mixed = int(np.random.SeedSequence([seed, epoch, index, repetition]).generate_state(1)[0])
        return {'inputs': self._augment(image, index, mixed), 'data_samples': self.labels[index]}

    def full_init(self) -> None:
        """Nothing is left to do; the wrappers of MMEngine ask for it."""

    def get_cat_ids(self, index: int) -> list[int]:
        """The labels of an image, by which ``ClassBalancedDataset`` repeats it."""
        return [self.labels[index]]

    @abstractmethod
    def read(self, index: int) -> Tensor | Image.Image | None:
        """One image in RGB before augmentation, uint8; ``None`` to leave it out."""

    def describe(self, index: int) -> str:
        """Names an image in messages."""
        return f'image {index}'

    def _augment(self, image: Tensor | Image.Image, index: int, seed: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would seed the GPUs as well.
            torch.default_generator.manual_seed(seed)
            try:
                inputs = self._transform(image)
            except (ValueError, TypeError, RuntimeError) as error:
                raise InputError(f'the transforms fail on {self.describe(index)} ({error}); correct them') from error
        if not isinstance(inputs, torch.Tensor) or inputs.dtype != torch.uint8 or inputs.shape[:-2] != (3,):
            found = (
                f'{inputs.dtype} {tuple(inputs.shape)}' if isinstance(inputs, torch.Tensor) else type(inputs).__name__
            )
            raise InputError(
                f'the transforms made {found} of {self.describe(index)}, expected a uint8 image (3, height, width); '
                'remove the transforms that change its type (normalising is done by the data_preprocessor)'
            )
        return inputs
