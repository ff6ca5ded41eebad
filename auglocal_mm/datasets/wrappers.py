"""MMEngine's wrappers of data sets, with a new augmentation for every repetition of an image."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from mmengine import dataset as mmengine_dataset

from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


def inner_datasets(dataset: Any) -> Iterator[Any]:
    """The data sets that read the data: ``dataset`` itself, or those inside its wrappers."""
    inside = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inside == [None]:
        yield dataset
        return
    for each in inside:
        yield from inner_datasets(each)


@DATASETS.register_module()
class RepeatDataset(mmengine_dataset.RepeatDataset):
    """MMEngine's ``RepeatDataset``."""

    def __getitem__(self, index: int) -> Any:
        return self.draw(index)

    def draw(self, index: int, repetition: int = 0) -> Any:
        """The image at ``index``, in the given repetition by outer wrappers."""
        size = len(self.dataset)
        return _draw(self.dataset, index % size, repetition * self.times + index // size)


@DATASETS.register_module()
class ConcatDataset(mmengine_dataset.ConcatDataset):
    """MMEngine's ``ConcatDataset``.

    Raises:
        InputError: The data sets have different classes.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        try:
            super().__init__(*arguments, **settings)
        except ValueError as error:
            raise InputError(
                f'the data sets of ConcatDataset have different classes ({error}), so that their labels would not match; give '
                'each the same classes'
            ) from error

    def __getitem__(self, index: int) -> Any:
        return self.draw(index)

    def draw(self, index: int, repetition: int = 0) -> Any:
        """The image at ``index``, in the given repetition by outer wrappers."""
        dataset, index = self._part(index)
        return _draw(dataset, index, repetition)

    def get_cat_ids(self, index: int) -> list[int]:
        """The labels of an image, by which ``ClassBalancedDataset`` repeats it."""
        dataset, index = self._part(index)
        return dataset.get_cat_ids(index)

    def _part(self, index: int) -> tuple[Any, int]:
        part = bisect_right(self.cumulative_sizes, index)
        return self.datasets[part], index - [0, *self.cumulative_sizes][part]


@DATASETS.register_module()
class ClassBalancedDataset(mmengine_dataset.ClassBalancedDataset):
    """MMEngine's ``ClassBalancedDataset``."""

    def __getitem__(self, index: int) -> Any:
        return self.draw(index)

    def draw(self, index: int, repetition: int = 0) -> Any:
        """The image at ``index``, in the given repetition by outer wrappers."""
        inner = self.repeat_indices[index]
        first = bisect_left(self.repeat_indices, inner)
        times = bisect_right(self.repeat_indices, inner) - first
        within = index - (index - inner)  # inner, as the sampler's type of index, which has the epoch
        return _draw(self.dataset, within, repetition * times + index - first)


def _draw(dataset: Any, index: int, repetition: int) -> Any:
    return dataset.draw(index, repetition) if hasattr(dataset, 'draw') else dataset[index]
