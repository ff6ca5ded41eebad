import pytest
import torch
import torchvision
from mmdet.models import ResNet
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.partition import local_layers, local_modules, resolve_cuts

NAMES = [f'layer{i}' for i in range(1, 10)]


def run(modules, features):
    for module in modules:
        features = module.layers(features)
    return features


@pytest.mark.parametrize(('depth', 'number'), [(18, 9), (34, 17), (50, 17), (101, 34), (152, 51)])
def test_local_layers_of_resnets(depth, number):
    with torch.device('meta'):
        networks = [ResNet(depth), torchvision.models.get_model(f'resnet{depth}')]
    for network in networks:
        layers = local_layers(network)
        assert len(layers) == number
        assert [layer.name for layer in layers][:2] == ['stem', 'layer1.0']


@pytest.mark.parametrize(
    'options',
    [dict(), dict(deep_stem=True), dict(norm_cfg=dict(type='GN', num_groups=4)), dict(style='caffe')],
)
def test_the_chain_is_the_network(options):
    network = ResNet(50, base_channels=8, norm_eval=False, out_indices=(3,), **options)
    layers = local_layers(network)
    images = torch.randn(2, 3, 64, 64)
    (expected,) = network(images)
    for number in range(1, len(layers) + 1):
        cuts = resolve_cuts([layer.name for layer in layers], number)
        modules = local_modules(layers, cuts, [nn.Identity()] * number)
        assert len(modules) == number
        assert torch.equal(run(modules, images), expected)
    assert {id(p) for m in modules for p in m.parameters()} == {id(p) for p in network.parameters()}


def test_a_network_of_the_user():
    network = nn.Sequential()
    network.add_module('body', nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)))
    network.add_module('neck', nn.Conv2d(4, 2, 1))
    layers = local_layers(network, [dict(start=['body.0', 'body.1']), 'body.2', 'neck'])
    assert [layer.name for layer in layers] == ['start', 'body.2', 'neck']
    images = torch.randn(1, 3, 8, 8)
    assert torch.equal(run(local_modules(layers, [1, 2], [nn.Identity()] * 3), images), network(images))
    assert [layer.name for layer in local_layers(network, ['body.*'])] == ['body.0', 'body.1', 'body.2']


def test_by_default_every_layer_is_a_module():
    assert resolve_cuts(NAMES) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(('number', 'cuts'), [(1, []), (2, [4]), (4, [2, 4, 6]), (9, [1, 2, 3, 4, 5, 6, 7, 8])])
def test_even_cuts_by_number(number, cuts):
    assert resolve_cuts(NAMES, number) == cuts


def test_explicit_cuts_by_number_and_name():
    assert resolve_cuts(NAMES, cut_points=[1, 'layer5']) == [1, 5]


def test_trimming_makes_the_last_module_longer():
    assert resolve_cuts(NAMES, last_module_layers=3) == [1, 2, 3, 4, 5, 6]
    assert resolve_cuts(NAMES, num_local_modules=3, last_module_layers=3) == [3, 6]
    assert len(resolve_cuts([str(i) for i in range(16)], last_module_layers=6)) + 1 == 11  # ResNet-32, D = 5


def test_modules_are_named_after_their_layers():
    layers = local_layers(nn.Sequential(*(nn.Identity() for _ in range(4))), ['0', '1', '2', '3'])
    assert [module.name for module in local_modules(layers, [1, 3], [nn.Identity()] * 3)] == ['0', '1-2', '3']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_local_modules=0), r'num_local_modules is 0; expected 1 \(BP\) to 9'),
        (dict(num_local_modules=10), 'num_local_modules is 10'),
        (dict(num_local_modules='two'), "num_local_modules is 'two'"),
        (dict(last_module_layers=2.5), r'last_module_layers is 2\.5'),
        (dict(num_local_modules=8, last_module_layers=3), r'expected 1 \(BP\) to 7'),
        (dict(last_module_layers=0), 'last_module_layers is 0'),
        (dict(last_module_layers=10), 'last_module_layers is 10'),
        (dict(cut_points=[5, 2]), 'ascending'),
        (dict(cut_points=[2, 2]), 'ascending'),
        (dict(cut_points=['layer9']), 'before the last one'),
        (dict(cut_points=[9]), 'the local layer 9, which is unknown'),
        (dict(cut_points=[0]), 'unknown'),
        (dict(cut_points=['block1']), "'block1', which is unknown"),
        (dict(cut_points=[2], num_local_modules=2), 'excludes'),
        (dict(cut_points=[2], last_module_layers=2), 'excludes'),
    ],
)
def test_impossible_cuts_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        resolve_cuts(NAMES, **options)


def test_unknown_paths_and_networks_are_refused():
    network = torchvision.models.resnet18()
    with pytest.raises(InputError, match="no module 'layer9'"):
        local_layers(network, ['layer9'])
    with pytest.raises(
        InputError, match=r'VGG, MobileNetV2, EfficientNet and RegNet .* only; give partition=dict\(chain='
    ):
        local_layers(nn.Sequential(nn.Conv2d(3, 3, 1)))


@pytest.mark.parametrize('cuts', [5, 'stem'])
def test_cuts_are_a_list(cuts):
    with pytest.raises(InputError, match=r'cut_points is .*; expected a list of local layers'):
        resolve_cuts(['stem', 'layer1.0', 'layer1.1'], cut_points=cuts)


@pytest.mark.parametrize('chain', [5, 'blocks.*'])
def test_a_chain_is_a_list(chain):
    with pytest.raises(InputError, match=r'partition\.chain is .*; expected a list of module paths'):
        local_layers(nn.Sequential(), chain)
