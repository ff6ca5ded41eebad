import functools

import pytest
import torch
from tests_models import cifar_resnet, classifier
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.errors import InputError
from auglocal_mm.local.recompute import Checkpointed
from auglocal_mm.local.step import local_step
from auglocal_mm.planning.costs.activation_meter import ActivationMeter

METHODS = {
    'BP': None,
    'AugLocal': dict(type='AugLocalHead', depth=3),
    'heads': dict(type='AugLocalHead', depth=4, checkpointed='all'),
    'norms of heads': dict(type='AugLocalHead', depth=4, checkpointed='norms'),
}


def trained(heads=None, **settings):
    """Gradients, statistics and peak activation memory (bytes) of one step."""
    torch.manual_seed(0)
    model = classifier(cifar_resnet(), heads, **settings).double()
    torch.manual_seed(1)
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    with ActivationMeter() as meter:
        local_step(model.local_modules(), images, labels, lambda _, loss: loss.backward())
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return gradients, dict(model.named_buffers()), meter.peak


@functools.cache
def trained_plainly(method: str):
    return trained(METHODS[method])


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize(
    'names',
    [
        'all',
        'norms',
        ['layer1.0', 'layer1.1', 'layer3.2'],
        ['layer3.2', ['stem', 'stem'], {'norms': 'layer1.2'}, {'norms': 'layer2.0'}],
    ],
)
def test_gradients_and_statistics_equal_those_without_checkpointing(method, names):
    plain, checkpointed = trained_plainly(method), trained(METHODS[method], checkpointed=names)
    for kind in (0, 1):
        assert plain[kind].keys() == checkpointed[kind].keys()
        assert all(torch.equal(plain[kind][name], checkpointed[kind][name]) for name in plain[kind])
    everywhere = method == 'BP' or names in ('all', 'norms')  # else perhaps not in the module with the peak
    assert checkpointed[2] < plain[2] if everywhere else checkpointed[2] <= plain[2]


@pytest.mark.parametrize('inplace', [True, False])
def test_selective_checkpointing_where_an_activation_overwrites_a_convolution(inplace):
    """As squeeze-and-excitation does in EfficientNet."""

    def gradients(checkpointed: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        layer = nn.Sequential(
            nn.Conv2d(3, 4, 1),
            nn.SiLU(inplace),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace),
            nn.Conv2d(4, 4, 1),
            nn.ReLU(inplace),
        )
        network = Checkpointed(layer, selective=True) if checkpointed else layer
        network(torch.randn(2, 3, 8, 8)).square().sum().backward()
        return [parameter.grad for parameter in layer.parameters()]

    assert all(map(torch.equal, gradients(True), gradients(False)))


def test_unknown_layers_are_refused():
    with pytest.raises(InputError, match=r"checkpointed.*'layer9'.*layer1\.0"):
        classifier(cifar_resnet(), checkpointed=['layer9'])


def test_a_segment_needs_less_memory_than_its_layers_one_by_one():
    single = trained(checkpointed=['layer1.0', 'layer1.1', 'layer1.2'])
    joined = trained(checkpointed=[['layer1.0', 'layer1.2']])
    assert all(torch.equal(single[0][name], joined[0][name]) for name in single[0])
    assert joined[2] < single[2]


def test_selective_checkpointing_needs_more_memory_and_recomputes_no_convolution():
    model = {names: classifier(cifar_resnet(), checkpointed=names) for names in ((), 'norms', 'all')}
    images, labels = torch.randn(2, 3, 32, 32), torch.zeros(2, dtype=torch.long)
    flops = {}
    for names, each in model.items():
        with FlopCounterMode(display=False) as counter:
            each(images, labels, mode='loss')['loss'].backward()
        flops[names] = counter.get_total_flops()
    assert flops['norms'] == flops[()] < flops['all']
    peaks = [trained(checkpointed=names)[2] for names in ('all', 'norms', ())]
    assert peaks == sorted(set(peaks))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ([{'norms': ['layer1.0', 'layer1.1']}], r"checkpointed.*'layer1\.0', 'layer1\.1'"),
        ([{'norm': 'layer1.0'}], "checkpointed.*'norm': 'layer1.0'.*'norms'"),
        (['layer1.0', {'norms': 'layer1.0'}], r'checkpointed.*\blayer1\.0\b.*two'),
        ([['layer1.1', 'layer1.0']], r"checkpointed.*'layer1\.1', 'layer1\.0'"),
        ([['layer1.0', 'layer1.1', 'layer1.2']], r"checkpointed.*'layer1\.0', 'layer1\.1', 'layer1\.2'"),
        (['layer1.1', ['layer1.0', 'layer1.2']], r'checkpointed.*\blayer1\.1\b.*two'),
        (5, "checkpointed.* 5.*'all', 'norms'"),
        ('stem', "checkpointed.*'stem'.*'all', 'norms'"),
        ([5], r'checkpointed.*\b5\b.*layer1\.0'),
    ],
)
def test_impossible_segments_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        classifier(cifar_resnet(), checkpointed=names)


def test_a_segment_across_a_module_boundary_is_refused():
    model = classifier(cifar_resnet(), dict(type='AugLocalHead', depth=2), checkpointed=[['layer1.0', 'layer1.1']])
    with pytest.raises(InputError, match=r"model\.checkpointed.*'layer1\.0', 'layer1\.1'"):
        model.local_modules()


def test_heads_can_have_their_own_depths_and_segments():
    heads = dict(type='AugLocalHead', depth=[2, 4], checkpointed=[[], [['1', '2'], '3']])
    partition = dict(partition=dict(split_points=['layer1.0', 'layer2.0']))
    model = classifier(cifar_resnet(), heads, **partition)
    assert [len(head.layers) for head in model.auxiliary_heads] == [1, 3]
    assert [len(head._chain) for head in model.auxiliary_heads] == [1, 2]
    plain = trained(dict(heads, checkpointed=()), **partition)
    again = trained(heads, **partition)
    assert all(torch.equal(plain[0][name], again[0][name]) for name in plain[0])
    with pytest.raises(InputError, match=r'depth\b.*\b3\b.*\b2\b'):
        classifier(cifar_resnet(), dict(type='AugLocalHead', depth=[2, 2, 2]), **partition)
