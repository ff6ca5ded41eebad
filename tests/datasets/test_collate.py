import pytest
import torch
from mmengine.registry import FUNCTIONS, DefaultScope

from auglocal_mm.datasets import collate_images
from auglocal_mm.errors import InputError
from auglocal_mm.registry import FUNCTIONS as AUGLOCAL_FUNCTIONS


def item(value: int, label: int, size: tuple[int, int] = (4, 6)) -> dict:
    return {'inputs': torch.full((3, *size), value, dtype=torch.uint8), 'data_samples': label}


def test_stacks_images_and_labels() -> None:
    batch = collate_images([item(1, 7), item(2, 0)])
    assert batch['inputs'].dtype == torch.uint8
    assert batch['inputs'].shape == (2, 3, 4, 6)
    assert batch['inputs'][:, 0, 0, 0].tolist() == [1, 2]
    assert batch['data_samples'].dtype == torch.int64
    assert batch['data_samples'].tolist() == [7, 0]


def test_leaves_corrupt_images_out() -> None:
    batch = collate_images([None, item(5, 3), None])
    assert batch['inputs'].shape[0] == 1
    assert batch['data_samples'].tolist() == [3]


def test_refuses_a_batch_of_corrupt_images_only() -> None:
    with pytest.raises(InputError, match=r'\b2 images\b'):
        collate_images([None, None])


def test_refuses_images_of_different_sizes() -> None:
    with pytest.raises(InputError, match=r'\(4, 6\) and \(6, 4\).*RandomResizedCrop'):
        collate_images([item(1, 0), item(1, 0, (6, 4))])


@pytest.mark.parametrize('name', ['collate_images', 'auglocal_mm.collate_images'])
def test_mmengine_finds_it(name: str) -> None:
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        assert FUNCTIONS.get(name) is collate_images


def test_it_is_in_the_registry_of_the_package() -> None:
    assert AUGLOCAL_FUNCTIONS.module_dict == {'collate_images': collate_images}
