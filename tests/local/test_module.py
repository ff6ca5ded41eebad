"""The state that crosses module boundaries, and the modules between them."""

import math

import pytest
import torch
from torch import Tensor, nn

from auglocal_mm.local.module import LocalLayer, LocalModule, fewest_images, local_modules
from auglocal_mm.local.recompute import Segment
from auglocal_mm.local.state import State


def linear_layers(taps: dict[int, str], num_layers: int = 4) -> list[LocalLayer]:
    torch.manual_seed(0)
    return [LocalLayer(str(index), nn.Linear(3, 3).double(), taps.get(index)) for index in range(num_layers)]


def chained(modules, features: Tensor) -> State:
    state = State(features)
    for module in modules:
        state = module(state)
    return state


@pytest.mark.parametrize('share', [1.0, 0.9, 0.5, 1 / 3, 0.3, 0.1])
def test_of_the_fewest_images_every_share_has_two(share):
    images = fewest_images([1.0, share])
    assert math.ceil(share * images) == 2 and math.ceil(share * (images - 1)) == 1


def test_modules_are_named_after_their_layers():
    modules = local_modules(linear_layers({}), [1, 3], [nn.Identity()] * 3)
    assert [module.name for module in modules] == ['0', '1-2', '3']


def test_taps_are_the_outputs_of_their_layers():
    layers, features = linear_layers({0: 'first', 2: 'third'}), torch.randn(2, 3, dtype=torch.float64)
    state = chained(local_modules(layers, [1, 2], [nn.Identity()] * 3), features)
    first = layers[0].module(features)
    third = layers[2].module(layers[1].module(first))
    assert list(state.taps) == ['first', 'third']
    assert torch.equal(state.taps['first'], first)
    assert torch.equal(state.taps['third'], third)
    assert torch.equal(state.features, layers[3].module(third))


def test_taps_inside_recomputed_segments_get_the_same_gradients():
    found = []
    for segments in ((), (Segment(0, 2),), (Segment(1, 1, selective=True), Segment(2, 3))):
        module = LocalModule(linear_layers({1: 'second', 2: 'third'}), nn.Identity(), segments)
        state = module(State(torch.ones(2, 3, dtype=torch.float64)))
        (state.features.sum() + 2 * state.taps['second'].square().sum() + state.taps['third'].sum()).backward()
        assert list(state.taps) == ['second', 'third']
        found.append([parameter.grad for parameter in module.parameters()])
    assert all(all(map(torch.equal, found[0], other)) for other in found[1:])


def test_a_detached_state_has_no_graph():
    layers = linear_layers({0: 'first'})
    state = chained(local_modules(layers, [2], [nn.Identity()] * 2), torch.randn(2, 3, dtype=torch.float64))
    assert all(tensor.requires_grad for tensor in state.tensors())
    detached = state.detach()
    assert not any(tensor.requires_grad for tensor in detached.tensors())
    assert all(map(torch.equal, state.tensors(), detached.tensors()))


def test_a_state_survives_the_round_trip_through_tensors():
    state = State(torch.zeros(1), {'C2': torch.ones(2), 'C3': torch.ones(3)})
    again = State.from_tensors(state.tensors(), list(state.taps))
    assert again.features is state.features
    assert list(again.taps) == ['C2', 'C3']
    assert again.taps['C3'] is state.taps['C3']
