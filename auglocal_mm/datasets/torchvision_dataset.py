"""The paper's data sets of small images, from torchvision."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision import datasets

from auglocal_mm.datasets.labelled_images import LabelledImages
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS

DIGITS = tuple('0123456789')


@DATASETS.register_module()
class TorchvisionDataset(LabelledImages):
    """CIFAR-10, SVHN or STL-10, from a folder in torchvision's layout, or downloaded.

    Args:
        name: ``'CIFAR10'``, ``'SVHN'`` or ``'STL10'``.
        data_root: The folder of the data.
        split: ``'train'`` or ``'test'``.
        transforms: As for :class:`LabelledImages`.
        download: Whether to download missing files.

    Raises:
        InputError: The name or split is unknown, or the data are missing or incomplete.
    """

    def __init__(
        self,
        name: str,
        data_root: str,
        split: str = 'train',
        transforms: Sequence[dict[str, Any] | Callable] = (),
        download: bool = False,
    ) -> None:
        if name not in LOADERS or split not in ('train', 'test'):
            raise InputError(
                f'the data set {name!r} with split {split!r} is unknown; expected one of {", ".join(LOADERS)} with train or test'
            )
        try:
            self.source, labels, classes = LOADERS[name](Path(data_root).expanduser(), split, download)
            if len(self.source) != len(labels):
                raise ValueError(f'{len(self.source)} images and {len(labels)} labels')
        except Exception as error:  # what torchvision, pickle and SciPy raise has no common class
            raise InputError(
                f'{name} is missing or incomplete in {data_root} ({str(error).splitlines()[0]}); correct data_root, or remove '
                'incomplete files and download it with --cfg-options train_dataloader.dataset.download=True '
                'val_dataloader.dataset.download=True'
            ) from error
        super().__init__(classes, labels, transforms)

    def read(self, index: int) -> Image.Image:
        """One image in RGB."""
        return self.source[index][0]


def _cifar10(root: Path, split: str, download: bool) -> tuple[Any, list[int], Sequence[str]]:
    data = datasets.CIFAR10(root, train=split == 'train', download=download)
    return data, data.targets, data.classes


def _svhn(root: Path, split: str, download: bool) -> tuple[Any, list[int], Sequence[str]]:
    data = datasets.SVHN(root, split=split, download=download)
    return data, data.labels.tolist(), DIGITS


def _stl10(root: Path, split: str, download: bool) -> tuple[Any, list[int], Sequence[str]]:
    data = datasets.STL10(root, split=split, download=download)
    return data, data.labels.tolist(), data.classes


LOADERS: dict[str, Callable[[Path, str, bool], tuple[Any, list[int], Sequence[str]]]] = {
    'CIFAR10': _cifar10,
    'SVHN': _svhn,
    'STL10': _stl10,
}
