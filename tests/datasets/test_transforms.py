import pytest
from mmengine.registry import DefaultScope
from torchvision.transforms import v2

from auglocal_mm.datasets import build_transform
from auglocal_mm.errors import InputError
from auglocal_mm.registry import TRANSFORMS


@pytest.mark.parametrize('name', ['RandomResizedCrop', 'RandomHorizontalFlip', 'ColorJitter', 'RandAugment', 'Compose'])
def test_torchvision_transforms_are_registered(name: str) -> None:
    assert TRANSFORMS.get(name) is getattr(v2, name)


def test_base_class_and_functions_are_not_registered() -> None:
    assert 'Transform' not in TRANSFORMS.module_dict
    assert 'query_size' not in TRANSFORMS.module_dict


def test_arguments_arrive() -> None:
    crop = build_transform({'type': 'RandomResizedCrop', 'size': 32, 'scale': (0.5, 1.0)})
    assert (crop.size, crop.scale) == ((32, 32), (0.5, 1.0))


def test_strings_become_enums() -> None:
    config = {'type': 'Resize', 'size': 8, 'interpolation': 'bicubic'}
    assert build_transform(config).interpolation is v2.InterpolationMode.BICUBIC
    assert config['interpolation'] == 'bicubic'
    policy = build_transform({'type': 'AutoAugment', 'policy': 'cifar10'}).policy
    assert policy is v2.AutoAugmentPolicy.CIFAR10


def test_misspelt_string_is_refused() -> None:
    with pytest.raises(InputError, match=r"interpolation\b.*\bResize\b.*'cubic'.*'bicubic'"):
        build_transform({'type': 'Resize', 'size': 8, 'interpolation': 'cubic'})


def test_containers_take_configs() -> None:
    config = {'type': 'RandomApply', 'transforms': [{'type': 'ColorJitter', 'hue': 0.1}], 'p': 0.3}
    container = build_transform(config)
    assert isinstance(container.transforms[0], v2.ColorJitter)


def test_other_default_scope_does_not_change_the_transform() -> None:
    with DefaultScope.overwrite_default_scope('mmengine'):
        assert isinstance(build_transform({'type': 'Resize', 'size': 8}), v2.Resize)


def test_built_transforms_pass_through() -> None:
    flip = v2.RandomHorizontalFlip()
    assert build_transform(flip) is flip
