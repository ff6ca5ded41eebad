"""How images are prepared, from configs of the repository and from text that is no such config."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from mmengine.config import Config
from tests_support import REPOSITORY
from torchvision.transforms import v2

from auglocal_mm.datasets import build_transform
from auglocal_mm.hub.timm_config import preparation
from auglocal_mm.transfer.run_config import RunConfig


def prepared(values: dict[str, Any]) -> dict[str, Any]:
    return preparation(RunConfig(Path('a.py'), values))


def test_imagenet_is_cropped_from_256_pixels():
    config = Config.fromfile(REPOSITORY / 'configs/bp/resnet50_bp_8xb64-200e_in1k.py').to_dict()
    found = prepared(config)
    assert (found['input_size'], found['crop_pct']) == ([3, 224, 224], 0.875)
    assert found['mean'] == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize(
    'transforms',
    [
        [dict(type='Resize', size=32), dict(type='CenterCrop', size=24)],
        [dict(type='Resize', size=32, interpolation='bicubic'), dict(type='CenterCrop', size=32)],
        [dict(type='Resize', size=32, interpolation=0), dict(type='CenterCrop', size=32)],
        [dict(type='Resize', size=[24, 40])],
        [dict(type='auglocal_mm.Resize', size=(32, 32)), dict(type='CenterCrop', size=[24, 24])],
    ],
)
def test_timm_prepares_images_as_they_were_validated(transforms):
    """Of an image that is not square."""
    noise = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0))
    image = v2.functional.to_pil_image(v2.functional.resize(noise, [60, 80]))
    values = {'val_dataloader': {'dataset': {'transforms': transforms}}}
    given = {**prepared(values), 'mean': (0, 0, 0), 'std': (1, 1, 1)}
    expected = v2.Compose([*map(build_transform, transforms), v2.PILToTensor()])(image)
    found = timm.data.create_transform(**given)(image)
    assert found.shape == expected.shape
    assert torch.equal((255 * found).round(), expected.float())


@pytest.mark.parametrize('transforms', [[], 3, 'Resize', [3], [{'type': 'Resize', 'size': 'x'}]])
def test_without_transforms_images_have_the_size_of_the_model(transforms):
    values = {'val_dataloader': {'dataset': {'transforms': transforms}}, 'model': {'image_size': 96}}
    assert prepared(values) == {'input_size': [3, 96, 96], 'crop_pct': 1.0, 'interpolation': 'bilinear'}


@pytest.mark.parametrize('model', [{}, 3, {'image_size': 'x', 'data_preprocessor': {'mean': 'grey', 'std': 3}}])
def test_what_is_not_recorded_is_left_to_timm(model):
    assert prepared({'model': model}) == {'input_size': [3, 224, 224], 'crop_pct': 1.0, 'interpolation': 'bilinear'}
