import pytest
import torch
import torchvision
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.feature_shapes import feature_shapes
from auglocal_mm.partition import LocalLayer, local_layers


@pytest.mark.parametrize('size', [64, 97])
def test_shapes_are_those_of_a_real_forward_pass(size):
    network = torchvision.models.resnet18()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layers = local_layers(network)
    shapes = feature_shapes(layers, size)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    features = torch.zeros(2, 3, size, size)
    for layer, shape in zip(layers, shapes, strict=True):
        features = layer.module(features)
        assert tuple(features.shape[1:]) == shape


def test_layers_that_do_not_fit_are_named():
    layers = [LocalLayer('one', nn.Conv2d(3, 4, 3)), LocalLayer('two', nn.Conv2d(5, 6, 3))]
    with pytest.raises(InputError, match=r'local layer two cannot take .*images of 16 pixels'):
        feature_shapes(layers, 16)
    with pytest.raises(InputError, match=r'local layer flat gives \(2, 768\)'):
        feature_shapes([LocalLayer('flat', nn.Flatten())], 16)
