"""Times are those of the right passes, each structure is timed once, and the model stays as it was."""

import pytest
import torch
from tests_models import cifar_resnet, classifier
from tests_toys import PyramidHead, TappedNetwork

from auglocal_mm.errors import InputError
from auglocal_mm.local.recompute import Checkpointed
from auglocal_mm.planning.costs import layer_seconds
from auglocal_mm.planning.costs.layer_seconds import NetworkSeconds, PassSeconds, PassTimer, measure_seconds

HEADS = {'shallow': dict(type='AugLocalHead', depth=2), 'DGL': dict(type='DGLHead')}


@pytest.fixture
def timed(monkeypatch):
    """What is timed, in order; the clock advances by one second at each look."""
    modules, ticks = [], iter(range(1_000_000))
    monkeypatch.setattr(layer_seconds.PassTimer, '_now', lambda self: float(next(ticks)))
    measure = PassTimer._round

    def record(self, run, leaves, state, input_gradient):
        modules.append((run.args[-1], input_gradient))
        return measure(self, run, leaves, state, input_gradient)

    monkeypatch.setattr(PassTimer, '_round', record)
    return modules


def test_every_layer_and_every_head_but_that_of_the_last_layer_has_a_time():
    model = classifier(cifar_resnet(20))
    seconds = measure_seconds(model, 32, 2, HEADS, rounds=1)
    count = len(model.layers)
    assert (len(seconds.layers), len(seconds.starts), seconds.batch_size) == (count, count, 2)
    assert set(seconds.heads) == {(index, name) for index in range(count - 1) for name in HEADS}
    parts = [*seconds.layers, *seconds.starts, *seconds.heads.values(), seconds.classifier]
    assert all(part.forward > 0 and part.backward > 0 for part in parts)


def test_equal_layers_and_heads_are_timed_once(timed):
    seconds = measure_seconds(classifier(cifar_resnet(20)), 32, 2, HEADS, rounds=2)
    # A stem, three stages of three blocks, of which the first two have their own first block; heads differ by stage (the
    # stem's output is that of the first stage).
    layers = [module for module, _ in timed if isinstance(module, layer_seconds.LocalLayer)]
    assert [layer.name for layer in dict.fromkeys(layers)] == [
        'stem',
        'layer1.0',
        'layer2.0',
        'layer2.1',
        'layer3.0',
        'layer3.1',
    ]
    heads = [module for module, _ in timed if isinstance(module, layer_seconds.AuxiliaryHead)]
    assert len(set(heads)) == 3 * len(HEADS)
    assert all([module for module, _ in timed].count(head) == 3 for head in heads)  # two rounds and the first
    assert seconds.layers[2] is seconds.layers[3] and seconds.heads[1, 'DGL'] is seconds.heads[2, 'DGL']


def test_a_timer_remembers_other_networks(timed):
    timer = PassTimer(torch.device('cpu'), amp=False, rounds=1)
    measure_seconds(classifier(cifar_resnet(20)), 32, 2, HEADS, timer=timer)
    before = len(timed)
    deeper = measure_seconds(classifier(cifar_resnet(32)), 32, 2, HEADS, timer=timer)
    assert len(timed) == before
    assert len(deeper.layers) == 16


def test_only_the_input_of_a_module_needs_no_gradient(monkeypatch):
    wanted = []
    grad = torch.autograd.grad
    monkeypatch.setattr(
        torch.autograd, 'grad', lambda out, wrt, *rest, **kw: wanted.append(len(wrt)) or grad(out, wrt, *rest, **kw)
    )
    model = classifier(cifar_resnet(20))
    timer = PassTimer(torch.device('cpu'), amp=False, rounds=1)
    measure_seconds(model, 32, 2, {}, timer=timer)
    stem, block = (sum(1 for _ in layer.parameters()) for layer in model.layers[:2])
    assert wanted[:6] == [stem, stem, block, block, block + 1, block + 1]


def test_the_median_of_the_rounds_counts_without_the_first():
    timer = PassTimer(torch.device('cpu'), amp=False, rounds=3)
    rounds = iter([(90.0, 90.0), (1.0, 5.0), (3.0, 4.0), (2.0, 60.0)])
    timer._round = lambda *arguments: next(rounds)
    state = layer_seconds.State(torch.zeros(1))
    assert timer.measure('key', torch.nn.Identity, layer_seconds._features, state) == PassSeconds(2.0, 5.0)


def test_the_model_and_the_random_numbers_stay_as_they_were():
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    measure_seconds(model, 32, 2, HEADS, rounds=1)
    assert [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])] == []
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_heads_have_the_layout_of_the_model():
    model = classifier(cifar_resnet(20))
    for layout in (torch.channels_last, torch.contiguous_format):
        model.layout = layout
        head = layer_seconds.build_head(model, model.layers, 0, HEADS['shallow'])
        assert all(p.is_contiguous(memory_format=layout) for p in head.parameters() if p.ndim == 4 and p.shape[2] > 1)


def test_a_classifier_that_reads_taps():
    model = classifier(dict(type=TappedNetwork), head=dict(type=PyramidHead, num_classes=10), image_size=64)
    seconds = measure_seconds(model, 64, 2, {'AugLocal': dict(type='AugLocalHead', depth=2)}, rounds=1, amp=True)
    assert seconds.classifier.backward > 0 and len(seconds.heads) == 3


def test_the_time_of_a_module_is_that_of_its_layers_and_its_head():
    layers = [PassSeconds(1.0, 2.0), PassSeconds(10.0, 20.0), PassSeconds(100.0, 200.0)]
    starts = [PassSeconds(1.0, 1.0), PassSeconds(10.0, 10.0), PassSeconds(100.0, 100.0)]
    seconds = NetworkSeconds(layers, starts, PassSeconds(0.5, 0.5), {(1, 'DGL'): PassSeconds(3.0, 4.0)}, 8)
    assert seconds.module(0, 1, 'DGL') == PassSeconds(14.0, 25.0)
    assert seconds.module(1, 2, 'DGL') == PassSeconds(110.5, 210.5)
    assert PassSeconds(14.0, 25.0).total == 39.0
    with pytest.raises(InputError, match=r"'DGL'.* layer 0"):
        seconds.module(0, 0, 'DGL')


@pytest.mark.parametrize('config', [dict(type='NoHead'), dict(type='CIFARResNet'), dict()])
def test_an_unknown_kind_of_head_is_refused(config):
    with pytest.raises(InputError, match=r"heads\['light'\]"):
        measure_seconds(classifier(cifar_resnet(20)), 32, 2, {'light': config})


def test_norms_that_are_recomputed_take_what_they_add(monkeypatch):
    def seconds(self, run, leaves, state, input_gradient):
        module = run.args[-1]
        recomputed = any(isinstance(each, Checkpointed) for each in [module, *getattr(module, '_chain', [])])
        return 1.0, 4.0 if recomputed else 1.0

    monkeypatch.setattr(PassTimer, '_round', seconds)
    found = measure_seconds(classifier(cifar_resnet(20)), 32, 2, HEADS, rounds=1, norms=True)
    assert [layer.norms for layer in found.layers] == [3.0] * len(found.layers)
    assert {found.heads[index, 'shallow'].norms for index in range(len(found.layers) - 1)} == {3.0}
    assert found.heads[0, 'DGL'].norms == found.classifier.norms == 0.0
    assert found.layers[1].total == 2.0
