"""Labelled images in one folder per class, as in ImageNet."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.datasets.decoded_images import DecodedImages
from auglocal_mm.datasets.labelled_images import LabelledImages
from auglocal_mm.datasets.list_images import list_images
from auglocal_mm.datasets.read_image import MAX_PIXELS, read_image
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class ImageFolder(LabelledImages):
    """Images under ``data_root/split/<class>/``, at any depth; labels follow the sorted names of the classes.

    Args:
        data_root: The folder of the data set.
        split: Subfolder of ``data_root``, such as ``'train'``.
        transforms: As for :class:`LabelledImages`.
        skip_corrupt: Whether an image that cannot be read becomes ``None``, with a warning, instead of an error.
            For training only: metrics over several processes need every image.
        max_pixels: Height times width of the largest image that is read.
        in_memory: Whether to decode all images now and keep them as uint8, for small data sets: items are the same, but read
            without decoding. Workers share the memory; each process of a multi-process training decodes and keeps its own
            copy.

    Attributes:
        samples: (path, label) of every image.

    Raises:
        InputError: The folder is missing, is a file, has no classes or images, or cannot be read completely; or, with
            ``in_memory``, an image is corrupt or the images do not fit into memory.
    """

    def __init__(
        self,
        data_root: str,
        split: str = '',
        transforms: Sequence[dict[str, Any] | Callable] = (),
        skip_corrupt: bool = False,
        max_pixels: int = MAX_PIXELS,
        in_memory: bool = False,
    ) -> None:
        classes, self.samples = list_images(Path(data_root, split).expanduser())
        super().__init__(classes, [label for _, label in self.samples], transforms)
        self.skip_corrupt, self.max_pixels = skip_corrupt, max_pixels
        paths = [path for path, _ in self.samples]
        self._decoded = DecodedImages(paths, skip_corrupt, max_pixels) if in_memory else None
        self._skipped = torch.zeros(len(self.samples), dtype=torch.bool).share_memory_()  # written by workers

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Shares the memory again after ``copy.deepcopy``."""
        super().__setstate__(state)
        self._skipped.share_memory_()

    @property
    def num_skipped(self) -> int:
        """Number of distinct corrupt images left out so far, by this process and its workers."""
        return int(self._skipped.sum())

    def read(self, index: int) -> Tensor | None:
        """One image in RGB, uint8 of shape (3, H, W); ``None`` if it is corrupt and ``skip_corrupt`` is set.

        Raises:
            InputError: The image is corrupt.
        """
        image = self._decoded[index] if self._decoded else None
        if image is not None:
            return image
        try:  # also a corrupt image that is not in memory, for its warning
            return read_image(self.samples[index][0], max_pixels=self.max_pixels)
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
