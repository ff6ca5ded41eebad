"""Labelled images in one folder per class, as ImageNet comes."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from auglocal_mm.datasets.labelled_images import LabelledImages
from auglocal_mm.datasets.read_image import read_image
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(LabelledImages):
    """Images under ``data_root/split/<class>/``, at any depth; classes are numbered in the order of their names.

    Args:
        data_root: The folder of the data set.
        split: Sub-folder of ``data_root``, such as ``'train'``.
        transforms: As for :class:`LabelledImages`.
        skip_corrupt: Whether an image that cannot be read becomes ``None``, with a warning, instead of an error.
            Meant for training: metrics of several processes need every image.

    Attributes:
        samples: (path, label) of every image.

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
        classes, self.samples = _find_samples(Path(data_root, split).expanduser())
        super().__init__(classes, [label for _, label in self.samples], transforms)
        self.skip_corrupt = skip_corrupt
        self._skipped = torch.zeros(len(self.samples), dtype=torch.bool).share_memory_()  # workers write it

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Shares the memory again after ``copy.deepcopy``."""
        super().__setstate__(state)
        self._skipped.share_memory_()

    @property
    def num_skipped(self) -> int:
        """How many different images were left out as corrupt so far, by this process and its workers."""
        return int(self._skipped.sum())

    def read(self, index: int) -> Tensor | None:
        """One image in RGB, uint8 of shape (3, H, W); ``None`` where it is corrupt and ``skip_corrupt`` is set.

        Raises:
            InputError: The image is corrupt.
        """
        try:
            return read_image(self.samples[index][0])
        except InputError as error:
            if not self.skip_corrupt:
                raise
            self._warn_once(index, error)
            return None

    def describe(self, index: int) -> str:
        """The path of an image."""
        return self.samples[index][0]

    def _warn_once(self, index: int, error: InputError) -> None:
        if not self._skipped[index]:
            self._skipped[index] = True
            warnings.warn(f'{self.samples[index][0]} is corrupt and left out: {error.__cause__}', stacklevel=4)


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
