"""Labelled images in one folder per class, as ImageNet comes."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset
from torchvision.transforms import v2

from auglocal_mm.datasets.read_image import read_image
from auglocal_mm.datasets.transforms import build_transform
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(Dataset):
    """Images under ``data_root/split/<class>/``, at any depth; classes are numbered in the order of their names.

    The augmentation of an image depends on seed, epoch and index alone, whatever the number of workers and however
    often the run was resumed. :meth:`set_epoch` must be called before each epoch, or every epoch looks the same.

    Args:
        data_root: The folder of the data set.
        split: Sub-folder of ``data_root``, such as ``'train'``.
        transforms: Configs or callables, applied one after the other to a PIL image in RGB. They must leave one
            uint8 image of 3 channels: normalising is the model's part.
        skip_corrupt: Whether an image that cannot be read becomes ``None``, with a warning, instead of an error.
            Meant for training: metrics of several processes need every image.

    Attributes:
        samples: (path, label) of every image.
        labels: The label of every image.

    Raises:
        InputError: The folder is missing, is a file, or lacks classes or images.
    """

    def __init__(
        self,
        data_root: str,
        split: str = '',
        transforms: Sequence[dict[str, Any] | Callable] = (),
        skip_corrupt: bool = False,
    ) -> None:
        self._classes, self.samples = _find_samples(Path(data_root, split).expanduser())
        self.labels = [label for _, label in self.samples]
        self.skip_corrupt = skip_corrupt
        self._transform = v2.Compose([*map(build_transform, transforms), v2.ToImage(), v2.ToPureTensor()])
        # Workers, persistent ones too, read and write these through shared memory.
        self._seed_and_epoch = torch.zeros(2, dtype=torch.int64).share_memory_()
        self._skipped = torch.zeros(len(self.samples), dtype=torch.bool).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Shares the memory again after ``copy.deepcopy``, with which MMEngine copies what a config holds."""
        self.__dict__.update(state)
        self._seed_and_epoch.share_memory_()
        self._skipped.share_memory_()

    @property
    def metainfo(self) -> dict[str, tuple[str, ...]]:
        """The names of the classes in the order of their labels; MMEngine saves it in checkpoints."""
        return {'classes': tuple(self._classes)}

    @property
    def num_skipped(self) -> int:
        """How many different images were left out as corrupt so far, by this process and its workers."""
        return int(self._skipped.sum())

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Sets what the augmentation depends on; takes effect from the next iteration over the data loader.

        Args:
            seed: The run's seed, not negative.
            epoch: The epoch, from 0.
        """
        self._seed_and_epoch.copy_(torch.tensor([seed, epoch]))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any] | None:
        """Reads and augments one image.

        Returns:
            ``inputs``, a uint8 tensor of shape (3, H, W) in RGB, and ``data_samples``, the label; or ``None`` where
            the image is corrupt and ``skip_corrupt`` is set.

        Raises:
            InputError: The image is corrupt, or the transforms left something else than a uint8 image.
        """
        index = range(len(self))[index]
        path, label = self.samples[index]
        try:
            image = read_image(path)
        except InputError as error:
            if not self.skip_corrupt:
                raise
            self._warn_once(index, error)
            return None
        return {'inputs': self._augment(image, index), 'data_samples': label}

    def _augment(self, image: Image.Image, index: int) -> torch.Tensor:
        seed, epoch = self._seed_and_epoch.tolist()
        mixed = int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would seed the GPUs as well.
            torch.default_generator.manual_seed(mixed)
            inputs = self._transform(image)
        if not isinstance(inputs, torch.Tensor) or inputs.dtype != torch.uint8 or inputs.shape[:-2] != (3,):
            found = (
                f'{inputs.dtype} {tuple(inputs.shape)}' if isinstance(inputs, torch.Tensor) else type(inputs).__name__
            )
            raise InputError(
                f'the transforms made {found} of {self.samples[index][0]}, expected a uint8 image (3, height, width); '
                'remove the transforms that change its type (normalising is done by the data_preprocessor)'
            )
        return inputs

    def _warn_once(self, index: int, error: InputError) -> None:
        if not self._skipped[index]:
            self._skipped[index] = True
            warnings.warn(f'{self.samples[index][0]} is corrupt and left out: {error.__cause__}', stacklevel=3)


def _find_samples(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Lists the classes and the (path, label) of every image below ``root``."""
    if not root.exists():
        raise InputError(
            f'the data folder {root} does not exist, expected one folder per class in it; '
            'put the data set there (ImageNet: https://image-net.org/download) or set data_root to where it is'
        )
    if not root.is_dir():
        raise InputError(f'{root} is a file, expected a folder with one folder per class; set data_root to the folder')
    try:
        classes, class_to_index = find_classes(root)
    except FileNotFoundError as error:
        raise InputError(
            f'{root} has no folders in it, expected one per class; set data_root to the folder of the classes '
            '(tools/dataset_converters/imagenet_val.py sorts the flat validation images of ImageNet)'
        ) from error
    samples = make_dataset(root, class_to_index, IMG_EXTENSIONS, allow_empty=True)
    empty = sorted(set(range(len(classes))) - {label for _, label in samples})
    if empty:
        raise InputError(
            f'{len(empty)} class folders of {root} have no image, {classes[empty[0]]} for one; '
            f'expected files that end in {", ".join(IMG_EXTENSIONS)}: add them or remove the folders'
        )
    return classes, samples
