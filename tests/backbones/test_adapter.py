"""A backbone becomes a chain of local layers; a chain that computes something else is refused."""

import re

import pytest
import torch
import torchvision
from mmdet.models import ResNet
from torch import Tensor, nn

from auglocal_mm.backbones import BackboneAdapter, TorchvisionBackbone, adapt
from auglocal_mm.backbones.adapter import check_chain
from auglocal_mm.errors import InputError
from auglocal_mm.local.module import local_modules
from auglocal_mm.local.partition import resolve_split_points
from auglocal_mm.local.state import State


def run(modules, images: Tensor) -> Tensor:
    state = State(images)
    for module in modules:
        state = module(state)
    return state.features


@pytest.mark.parametrize(('depth', 'num_layers'), [(18, 9), (34, 17), (50, 17), (101, 34), (152, 51)])
def test_local_layers_of_resnets(depth, num_layers):
    with torch.device('meta'):
        networks = [ResNet(depth), torchvision.models.get_model(f'resnet{depth}')]
    for network in networks:
        names = [layer.name for layer in adapt(network).local_layers()]
        assert len(names) == num_layers
        assert names[:2] == ['stem', 'layer1.0']


@pytest.mark.parametrize(
    'options',
    [dict(), dict(deep_stem=True), dict(norm_cfg=dict(type='GN', num_groups=4)), dict(style='caffe')],
)
def test_the_chain_is_the_network(options):
    network = ResNet(50, base_channels=8, norm_eval=False, out_indices=(3,), **options)
    layers = adapt(network).local_layers()
    images = torch.randn(2, 3, 64, 64)
    (expected,) = network(images)
    for num_modules in range(1, len(layers) + 1):
        split_points = resolve_split_points([layer.name for layer in layers], num_modules)
        modules = local_modules(layers, split_points, [nn.Identity()] * num_modules)
        assert len(modules) == num_modules
        assert torch.equal(run(modules, images), expected)
    assert {id(p) for m in modules for p in m.parameters()} == {id(p) for p in network.parameters()}


class Network(nn.Sequential):
    """A user's network: a body with an activation, and a neck."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module('body', nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)))
        self.add_module('neck', nn.Conv2d(4, 2, 1))


CHAIN = [dict(start=['body.0', 'body.1']), 'body.2', 'neck']


def test_a_network_of_a_user():
    network, images = Network(), torch.randn(1, 3, 8, 8)
    layers = BackboneAdapter(network, CHAIN).local_layers()
    assert [layer.name for layer in layers] == ['start', 'body.2', 'neck']
    modules = local_modules(layers, [1, 2], [nn.Identity()] * 3)
    assert torch.equal(run(modules, images), network(images))
    assert [name for name, _ in BackboneAdapter(network, ['body.*']).layers()] == ['body.0', 'body.1', 'body.2']


def test_a_network_that_defines_its_own_chain_and_taps():
    network = Network()
    network.chain, network.taps = CHAIN, {'C2': 'start', 'C3': 'neck'}
    assert [layer.tap for layer in adapt(network).local_layers(['C3'])] == [None, None, 'C3']
    with pytest.raises(InputError, match=r"'C4'.*\bNetwork\b.*\bC2, C3\b"):
        adapt(network).local_layers(['C4'])


def test_unknown_paths_and_networks_are_refused():
    with pytest.raises(InputError, match=r"\bResNet\b.*'layer9'.*\blayer1\b"):
        BackboneAdapter(torchvision.models.resnet18(), ['layer9']).layers()
    with pytest.raises(InputError, match=r'\bNetwork\b.*partition=dict\(chain='):
        adapt(Network())


@pytest.mark.parametrize('chain', [5, 'blocks.*'])
def test_a_chain_is_a_list(chain):
    with pytest.raises(InputError, match=rf'partition\.chain\b.*{re.escape(repr(chain))}'):
        BackboneAdapter(nn.Sequential(), chain)


@pytest.mark.parametrize(
    'chain',
    [
        ['body.0', 'body.2', 'neck'],  # without the activation
        ['body.*'],
        [*CHAIN[:2], 'body.1', 'neck'],
        [dict(start=['body.1', 'body.0']), 'body.2', 'neck'],
    ],
)
def test_a_chain_that_computes_something_else_is_refused(chain):
    torch.manual_seed(0)
    network = Network()
    check_chain(BackboneAdapter(network, CHAIN).local_layers(), network, 8)
    with pytest.raises(InputError, match=r'\bNetwork\b.*partition\.chain'):
        check_chain(BackboneAdapter(network, chain).local_layers(), network, 8)


@pytest.mark.parametrize('left_out', ['features.1', 'features.5'])
def test_a_chain_of_torchvisions_network_without_an_activation_or_a_pool_is_refused(left_out):
    parts = [f'features.{index}' for index in range(13)]
    TorchvisionBackbone('alexnet', chain=parts)
    with pytest.raises(InputError, match=r'\bAlexNet\b.*partition\.chain'):
        TorchvisionBackbone('alexnet', chain=[part for part in parts if part != left_out])
