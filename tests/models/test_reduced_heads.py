"""AugLocal's heads on pooled features, with narrower layers, and on a part of the batch."""

import math
import re

import pytest
import tests_toys  # noqa: F401  (registers TokenNetwork)
import torch
from tests_models import cifar_resnet, classifier, head_sizes
from torch import Tensor, nn
from torch.nn import functional

from auglocal_mm.analysis.multiply_adds import network_cost
from auglocal_mm.analysis.partition_table import module_costs
from auglocal_mm.errors import InputError
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import local_step
from auglocal_mm.models import ImageClassifier

NEUTRAL = dict(width=1.0, pooling=1, batch_share=1.0)
SMALL = dict(type='CIFARResNet', depth=20, widths=(4, 8, 16))
RESNETS = {
    'CIFAR ResNet': SMALL,
    'BasicBlock': dict(type='mmdet.ResNet', depth=18, base_channels=8, out_indices=(3,)),
    'Bottleneck': dict(type='mmdet.ResNet', depth=50, base_channels=8, out_indices=(3,)),
}


def torchvision(name: str) -> dict:
    return dict(type='TorchvisionBackbone', name=name)


def model(backbone: dict = SMALL, **keys) -> ImageClassifier:
    torch.manual_seed(0)
    built = classifier(backbone, dict(type='AugLocalHead', depth=3, **keys))
    built.init_weights()
    return built.train()


def batch(images: int = 6, side: int = 32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(images, 3, side, side, generator=generator), torch.arange(images) % 10


def norm(layer: nn.Module, maps: Tensor) -> Tensor:
    mean, variance = maps.mean((0, 2, 3), keepdim=True), maps.var((0, 2, 3), correction=0, keepdim=True)
    return (maps - mean) / (variance + 1e-5).sqrt() * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)


def block(layer: nn.Module, maps: Tensor, stride: int) -> Tensor:
    """A basic block as the paper of ResNets has it."""
    inner = norm(layer.bn1, functional.conv2d(maps, layer.conv1.weight, stride=stride, padding=1)).relu()
    outputs = norm(layer.bn2, functional.conv2d(inner, layer.conv2.weight, padding=1))
    if layer.downsample is not None:
        projection, its_norm = layer.downsample
        maps = norm(its_norm, functional.conv2d(maps, projection.weight, stride=stride))
    return (outputs + maps).relu()


def pooled(maps: Tensor) -> Tensor:
    """Means over windows of two by two pixels, smaller ones at the end of odd sides, one by one."""
    height, width = maps.shape[2:]
    rows = [slice(2 * i, min(2 * i + 2, height)) for i in range(math.ceil(height / 2))]
    columns = [slice(2 * i, min(2 * i + 2, width)) for i in range(math.ceil(width / 2))]
    return torch.stack([torch.stack([maps[:, :, r, c].mean((2, 3)) for c in columns], 2) for r in rows], 2)


def test_neutral_values_change_no_bit():
    plain, neutral = model(), model(**NEUTRAL)
    assert plain.state_dict().keys() == neutral.state_dict().keys()
    for built in (plain, neutral):
        local_step(built.local_modules(), *batch(), lambda _, loss: loss.backward())
    pairs = zip(plain.named_parameters(), neutral.named_parameters(), strict=True)
    assert [name for (name, one), (_, other) in pairs if not torch.equal(one.grad, other.grad)] == []
    assert all(map(torch.equal, plain.state_dict().values(), neutral.state_dict().values()))


@pytest.mark.parametrize('side', [12, 9])
@pytest.mark.parametrize(('keys', 'images'), [(dict(pooling=2), 5), (dict(width=0.5), 5), (dict(batch_share=0.5), 3)])
def test_the_loss_is_that_of_its_definition(side, keys, images):
    """For the head after the first block of the second stage, which copies a block of that stage and one of the third."""
    head = model(**keys).double().auxiliary_heads[4]
    features, labels = torch.randn(5, 8, side, side, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 4])
    layers = [layer[-1] if 'pooling' in keys and not index else layer for index, layer in enumerate(head.layers)]
    widths = [4, 8] if 'width' in keys else [8, 16]
    assert head.selected == [7, 10]
    assert [layer.conv2.out_channels for layer in layers] == widths
    maps = pooled(features[:images]) if 'pooling' in keys else features[:images]
    for layer, stride in zip(layers, (1, 2), strict=True):
        maps = block(layer, maps, stride)
    logits = functional.linear(maps.mean((2, 3)), head.classifier.fc.weight, head.classifier.fc.bias)
    results = head.loss(State(features), Targets(labels))
    torch.testing.assert_close(results['loss'], functional.cross_entropy(logits, labels[:images]))
    assert results['accuracy'] == pytest.approx((logits.argmax(1) == labels[:images]).double().mean().item() * 100)


def test_layers_learn_exactly_from_a_part_of_the_batch():
    """Against one graph in which the batch statistics of the layers are those of all images, and the loss reads two."""
    built = model(batch_share=0.3).double()
    images, labels = batch()
    module = built.local_modules()[1]
    inputs = built.local_modules()[0](State(images.double())).detach()
    logits = module.head(module(inputs).features[:2])
    expected = torch.autograd.grad(functional.cross_entropy(logits, labels[:2]), list(module.parameters()))
    local_step([module], inputs.features, labels, lambda _, loss: loss.backward())
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('backbone', RESNETS.values(), ids=RESNETS)
def test_every_parameter_learns_from_its_own_loss_alone(backbone):
    built = model(backbone, width=0.5, pooling=2, batch_share=0.5).double()
    images, labels = batch(8)
    assert max(isolation_errors(built.local_modules(), images.double(), labels)) < 1e-9
    local_step(built.local_modules(), images.double(), labels, lambda _, loss: loss.backward())
    assert not [name for name, p in built.named_parameters() if p.grad is None]


def test_narrow_copies_have_the_sizes_counted_by_hand():
    (head, *_) = classifier(SMALL, dict(type='AugLocalHead', depth=2, width=0.5)).auxiliary_heads
    (copied,) = head.layers  # of the last block: 16 channels, of which half are left
    sizes = [p.numel() for p in copied.parameters()]
    assert sum(sizes) == 4 * 8 * 9 + 8 * 8 * 9 + 4 * 8 + 3 * 2 * 8
    assert head.classifier.fc.in_features == 8
    assert head_sizes(model(width=0.99)) == head_sizes(model())  # nothing to remove


def test_pooled_maps_of_every_size_reach_the_classifier():
    built = classifier(RESNETS['BasicBlock'], dict(type='AugLocalHead', depth=3, pooling=2))
    assert [shape.side for shape in built.shapes] == [8, 8, 8, 4, 4, 2, 2, 1, 1]
    state = State(batch()[0])
    for module in built.local_modules():
        state = module(state)
        assert module.head(state.features).shape == (6, 10)


def test_tables_have_the_costs_of_the_heads():
    costs = {}
    for name, keys in (('plain', {}), ('pooled', dict(pooling=2)), ('part', dict(batch_share=0.5))):
        built = model(**keys)
        table = module_costs(built.local_modules(), [layer.name for layer in built.layers], batch(1)[0])
        flops = sum(cost.head_flops for cost in table[:-1])
        assert flops == 2 * network_cost(built, 32).auxiliary
        costs[name] = flops
    fc = 9 * 2 * 16 * 10  # is not pooled
    assert costs['pooled'] - fc == (costs['plain'] - fc) / 4
    assert costs['part'] == costs['plain'] / 2


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('width', 0),
        ('width', 1.5),
        ('width', 'half'),
        ('pooling', 0),
        ('pooling', 1.5),
        ('batch_share', 0),
        ('batch_share', 2),
    ],
)
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(InputError, match=rf'auxiliary_heads\.{key}\b.*{re.escape(repr(value))}'):
        model(**{key: value})


@pytest.mark.parametrize(
    ('backbone', 'keys', 'words'),
    [
        (torchvision('mobilenet_v2'), dict(width=0.5), r'width is 0\.5.*InvertedResidual'),
        (torchvision('resnext50_32x4d'), dict(width=0.5), r'width is 0\.5.*Conv2d'),
        (dict(type='TokenNetwork'), dict(width=0.5), r'width is 0\.5.*\bBlock'),
        (dict(type='TokenNetwork'), dict(pooling=2), r'pooling is 2.*\(17, 12\)'),
        (torchvision('vgg13_bn'), dict(pooling=8, downsampling='max_pool'), r'pooling is 8.*\(64, 32, 32\).*\b8;'),
    ],
)
def test_layers_that_cannot_be_narrowed_or_pooled_are_named(backbone, keys, words):
    with pytest.raises(InputError, match=words):
        classifier(backbone, dict(type='AugLocalHead', depth=5, **keys), 'meta')


def test_a_part_of_the_batch_is_refused_inside_man():
    inner = dict(type='AugLocalHead', depth=2, batch_share=0.5)
    with pytest.raises(InputError, match=r'head\.batch_share is 0\.5.*MANHead'):
        classifier(cifar_resnet(), dict(type='MANHead', head=inner))
