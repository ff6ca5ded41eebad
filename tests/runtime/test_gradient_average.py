"""Gradients are averaged while the next module runs. A group of one process, told that it is one of two, halves them."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import distributed, nn

from auglocal_mm.runtime import gradient_average, optimizers
from auglocal_mm.runtime.gradient_average import GradientAverage, average_gradients


@pytest.fixture
def two_replicas(monkeypatch):
    distributed.init_process_group('gloo', store=distributed.HashStore(), rank=0, world_size=1)
    for module in (gradient_average, optimizers):
        monkeypatch.setattr(module, 'num_replicas', lambda: 2)
    yield
    distributed.destroy_process_group()


def test_gradients_of_all_types_and_layouts_are_replaced_by_their_mean(two_replicas):
    weights = [
        torch.rand(2, 3, 4, 4),
        torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
        torch.rand(5).double(),
    ]
    parameters = [nn.Parameter(weight) for weight in weights]
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter)
    frozen = nn.Parameter(torch.rand(3))
    before = [(parameter.grad.clone(), parameter.grad.stride()) for parameter in parameters]
    average = GradientAverage([*parameters, frozen])
    average.begin_rest()
    assert all(torch.equal(p.grad, value) for p, (value, _) in zip(parameters, before, strict=True))
    average.wait()
    for parameter, (value, strides) in zip(parameters, before, strict=True):
        assert torch.equal(parameter.grad, value / 2) and parameter.grad.stride() == strides
    assert frozen.grad is None


def test_buckets_are_averaged_while_backward_computes_the_rest(two_replicas, monkeypatch):
    layers, seen = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(5))), []
    frozen, unused, late = (
        layers[1].weight.requires_grad_(False),
        nn.Parameter(torch.ones(4)),
        nn.Parameter(torch.ones(2)),
    )
    late.grad = torch.ones(2)  # accumulated before, and not in this backward pass
    monkeypatch.setattr(gradient_average, 'BUCKET', 2 * frozen.nbytes)
    average = GradientAverage([*layers.parameters(), unused, late])
    hidden = layers[0](torch.rand(3, 4))
    hidden.register_hook(lambda _: seen.append(len(average.begun)))
    with average.during_backward():
        layers[1:](hidden).sum().backward()
    assert (seen, [len(gradients) for gradients, _, _ in average.begun]) == ([1], [2, 2, 1])
    alone = [each.grad.clone() for each in (*layers.parameters(), late) if each.grad is not None]
    average.wait()
    averaged = [each.grad for each in (*layers.parameters(), late) if each.grad is not None]
    assert all(torch.equal(one, other / 2) for one, other in zip(averaged, alone, strict=True))
    assert unused.grad is None and frozen.grad is None
    layers(torch.rand(3, 4)).sum().backward()
    assert len(average.begun) == 3, 'hooks are removed'


def test_one_process_keeps_its_gradients():
    parameter = nn.Parameter(torch.rand(3))
    parameter.grad = torch.ones(3)
    average_gradients([parameter])
    assert torch.equal(parameter.grad, torch.ones(3))


def test_a_module_is_updated_after_the_next_one_has_run(two_replicas):
    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    model = Toy()
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        parts = {name: build_optim_wrapper(part, OPTIMIZER) for name, part in model.named_children()}
    wrapper = optimizers.LocalOptimWrapper(parts)
    before = [model.first.weight.clone(), model.second.weight.clone()]
    wrapper.update_module(0, model.first(torch.ones(1, 2)).sum())
    assert torch.equal(model.first.weight, before[0])
    wrapper.update_module(1, model.second(torch.ones(1, 2)).sum())
    assert torch.allclose(model.first.weight, before[0] - 0.5)
    assert torch.equal(model.second.weight, before[1])
    wrapper.finish_update()
    assert torch.allclose(model.second.weight, before[1] - 0.5)
    assert model.second.weight.grad is None


OPTIMIZER = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1.0))
