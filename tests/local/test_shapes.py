import pytest
import torch
import torchvision
from torch import nn

from auglocal_mm.backbones import BackboneAdapter, adapt
from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalLayer
from auglocal_mm.local.shapes import FeatureShape, feature_shapes


def first(size) -> int:
    return 0


@pytest.mark.parametrize('size', [64, 97])
def test_shapes_are_those_of_a_real_forward_pass(size):
    network = torchvision.models.resnet18()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers = adapt(network).local_layers()
    shapes = feature_shapes(layers, size, first)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    features = torch.zeros(2, 3, size, size)
    for layer, shape in zip(layers, shapes, strict=True):
        features = layer.module(features)
        assert tuple(features.shape[1:]) == shape.size


def test_layers_that_do_not_fit_are_named():
    layers = [LocalLayer('one', nn.Conv2d(3, 4, 3)), LocalLayer('two', nn.Conv2d(5, 6, 3))]
    with pytest.raises(InputError, match=r'\btwo\b.*\b16\b.*model\.image_size'):
        feature_shapes(layers, 16, first)
    with pytest.raises(InputError, match=r'\bflat\b.*\(2, 768\)'):
        feature_shapes([LocalLayer('flat', nn.Flatten())], 16, first)


@pytest.mark.parametrize('size', [0, -1, 2.5, 'large'])
def test_impossible_image_sizes_are_refused(size):
    with pytest.raises(InputError, match=rf'image_size\b.*{size!r}'):
        feature_shapes([LocalLayer('one', nn.Conv2d(3, 4, 3))], size, first)


@pytest.mark.parametrize('size', [224, 384])
def test_maps_with_the_channels_last_are_refused(size):
    with torch.device('meta'):
        network = torchvision.models.swin_t()
    with pytest.raises(InputError, match=rf'\(N, {size // 32}, {size // 32}, 768\).*\(N, H, W, C\)'):
        feature_shapes(BackboneAdapter(network, ['features.*']).local_layers(), size, first)


def test_as_many_channels_as_rows_do_not_mean_channels_last():
    (shape,) = feature_shapes([LocalLayer('one', nn.Conv2d(3, 16, 1))], 16, first)
    assert shape == FeatureShape((16, 16, 16))
    tall = [LocalLayer('one', nn.Conv2d(3, 4, 1)), LocalLayer('two', nn.Conv2d(4, 16, 1, stride=(1, 2)))]
    assert [shape.size for shape in feature_shapes(tall, 16, first)] == [(4, 16, 16), (16, 16, 8)]


def test_channels_and_side_of_maps_and_of_tokens():
    maps, tokens = FeatureShape((64, 8, 4)), FeatureShape((49, 96), channel_dim=1)
    assert (maps.channels, maps.side, maps.positions) == (64, 8, (8, 4))
    assert (tokens.channels, tokens.side, tokens.positions) == (96, 7.0, (49,))
