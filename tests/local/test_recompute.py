import pytest
import torch
from tests_models import cifar_resnet, classifier
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.errors import InputError
from auglocal_mm.local.recompute import Checkpointed
from auglocal_mm.local.step import local_step
from auglocal_mm.planning.costs.activation_meter import ActivationMeter

RULES = [
    None,
    dict(type='AugLocalHead', depth=3),
    dict(type='AugLocalHead', depth=4, checkpointed='all'),
    dict(type='AugLocalHead', depth=4, checkpointed='norms'),
]


def trained(rule=None, **settings):
    """Gradients, statistics and the most bytes held in one step."""
    torch.manual_seed(0)
    model = classifier(cifar_resnet(), rule, **settings).double()
    torch.manual_seed(1)
    images, labels = torch.randn(4, 3, 32, 32, dtype=torch.float64), torch.arange(4)
    with ActivationMeter() as meter:
        local_step(model.local_modules(), images, labels, lambda _, loss: loss.backward())
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return gradients, dict(model.named_buffers()), meter.peak


@pytest.mark.parametrize('rule', RULES, ids=['BP', 'AugLocal', 'heads', 'norms of heads'])
@pytest.mark.parametrize(
    'names',
    [
        'all',
        'norms',
        ['layer1.0', 'layer1.1', 'layer3.2'],
        ['layer3.2', ['stem', 'stem'], {'norms': 'layer1.2'}, {'norms': 'layer2.0'}],
    ],
)
def test_gradients_and_statistics_equal_those_without(rule, names):
    plain, checkpointed = trained(rule), trained(rule, checkpointed=names)
    for kind in (0, 1):
        assert plain[kind].keys() == checkpointed[kind].keys()
        assert all(torch.equal(plain[kind][name], checkpointed[kind][name]) for name in plain[kind])
    everywhere = rule is None or names in ('all', 'norms')  # or perhaps not in the module that holds most
    assert checkpointed[2] < plain[2] if everywhere else checkpointed[2] <= plain[2]


@pytest.mark.parametrize('inplace', [True, False])
def test_norms_alone_where_an_activation_overwrites_a_convolution(inplace):
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
    with pytest.raises(InputError, match="checkpointed names the layer 'layer9'"):
        classifier(cifar_resnet(), checkpointed=['layer9'])


def test_runs_of_layers_hold_less_than_single_layers():
    single = trained(checkpointed=['layer1.0', 'layer1.1', 'layer1.2'])
    run = trained(checkpointed=[['layer1.0', 'layer1.2']])
    assert all(torch.equal(single[0][name], run[0][name]) for name in single[0])
    assert run[2] < single[2]


def test_norms_alone_hold_more_than_all_and_compute_no_convolution_again():
    model = {names: classifier(cifar_resnet(), checkpointed=names) for names in ((), 'norms', 'all')}
    images, labels = torch.randn(2, 3, 32, 32), torch.zeros(2, dtype=torch.long)
    flops = {}
    for names, each in model.items():
        with FlopCounterMode(display=False) as counter:
            each(images, labels, mode='loss')['loss'].backward()
        flops[names] = counter.get_total_flops()
    assert flops['norms'] == flops[()] < flops['all']
    held = [trained(checkpointed=names)[2] for names in ('all', 'norms', ())]
    assert held == sorted(set(held))


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        ([{'norms': ['layer1.0', 'layer1.1']}], 'expected a pair, the first layer and the last one'),
        ([{'norm': 'layer1.0'}], "expected a name, a pair of names, or {'norms': name}"),
        (['layer1.0', {'norms': 'layer1.0'}], 'layer1.0 in two'),
        ([['layer1.1', 'layer1.0']], 'expected a pair, the first layer and the last one'),
        ([['layer1.0', 'layer1.1', 'layer1.2']], 'expected a pair'),
        (['layer1.1', ['layer1.0', 'layer1.2']], 'layer1.1 in two'),
        (5, "checkpointed is 5; expected 'all', 'norms', or a list"),
        ('stem', "checkpointed is 'stem'; expected"),
        ([5], 'names the layer 5, which is unknown'),
    ],
)
def test_impossible_segments_are_refused(names, message):
    with pytest.raises(InputError, match=message):
        classifier(cifar_resnet(), checkpointed=names)


def test_a_segment_across_a_module_boundary_is_refused():
    model = classifier(cifar_resnet(), dict(type='AugLocalHead', depth=2), checkpointed=[['layer1.0', 'layer1.1']])
    with pytest.raises(InputError, match='crosses a module boundary'):
        model.local_modules()


def test_heads_may_have_their_own_depths_and_segments():
    rule = dict(type='AugLocalHead', depth=[2, 4], checkpointed=[[], [['1', '2'], '3']])
    cuts = dict(partition=dict(cut_points=['layer1.0', 'layer2.0']))
    model = classifier(cifar_resnet(), rule, **cuts)
    assert [len(head.layers) for head in model.auxiliary_heads] == [1, 3]
    assert [len(head._chain) for head in model.auxiliary_heads] == [1, 2]
    plain = trained(dict(rule, checkpointed=()), **cuts)
    again = trained(rule, **cuts)
    assert all(torch.equal(plain[0][name], again[0][name]) for name in plain[0])
    with pytest.raises(InputError, match='depth has 3 values, but there are 2 heads'):
        classifier(cifar_resnet(), dict(type='AugLocalHead', depth=[2, 2, 2]), **cuts)
