import copy

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.runtime.memory_order import as_rows, keep_memory_order

OPTIMIZERS = [
    (torch.optim.SGD, dict(momentum=0.9, weight_decay=0.01, nesterov=True)),
    (torch.optim.SGD, {}),
    (torch.optim.AdamW, dict(amsgrad=True)),
    (torch.optim.Adagrad, {}),
]


def layer() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(5, 7, 3).to(memory_format=torch.channels_last)


def fill_gradients(model: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)


def tensors(model, optimizer) -> list[torch.Tensor]:
    states = [
        value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)
    ]
    return [*model.parameters(), *states]


def copies(optimizer) -> int:
    with torch.profiler.profile() as profiler:
        optimizer.step()
    return sum(event.count for event in profiler.key_averages() if event.key in ('aten::clone', 'aten::copy_'))


@pytest.mark.parametrize(('kind', 'options'), OPTIMIZERS)
def test_a_step_as_rows_changes_nothing(kind, options):
    models = [layer(), layer()]
    plain, viewed = (kind(model.parameters(), lr=0.1, fused=True, **options) for model in models)
    keep_memory_order(viewed)
    for seed in range(3):
        for model in models:
            fill_gradients(model, seed)
        plain.step()
        viewed.step()
    assert all(map(torch.equal, tensors(models[0], plain), tensors(models[1], viewed)))
    assert all(
        a.stride() == b.stride() for a, b in zip(tensors(models[0], plain), tensors(models[1], viewed), strict=True)
    )
    assert torch.equal(models[0].weight.grad, models[1].weight.grad)


def test_no_gradient_is_copied():
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    fill_gradients(model, 0)
    assert copies(optimizer) > 0
    keep_memory_order(optimizer)
    assert copies(optimizer) == 0


def test_shapes_are_restored_after_an_error():
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    fill_gradients(model, 0)
    optimizer.step()
    with pytest.raises(ValueError, match='full'), as_rows(optimizer):
        momentum = optimizer.state[model.weight]['momentum_buffer']
        assert model.weight.dim() == model.weight.grad.dim() == momentum.dim() == 1
        raise ValueError('full')
    for tensor in (model.weight, model.weight.grad, optimizer.state[model.weight]['momentum_buffer']):
        assert tensor.shape == (7, 5, 3, 3)
        assert tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('case', ['not fused', 'gradient of another layout', 'momentum of another layout'])
def test_tensors_that_cannot_be_viewed_stay(case):
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=case != 'not fused')
    fill_gradients(model, 0)
    optimizer.step()
    if case == 'gradient of another layout':
        model.weight.grad = model.weight.grad.contiguous()
    if case == 'momentum of another layout':
        optimizer.state[model.weight]['momentum_buffer'] = torch.zeros(7, 5, 3, 3)
    with as_rows(optimizer):
        assert model.weight.dim() == 4


@pytest.mark.parametrize(('kind', 'options'), OPTIMIZERS)
def test_state_of_another_layout_is_aligned(kind, options):
    first = layer()
    before = kind(first.parameters(), lr=0.1, fused=True, **options)
    fill_gradients(first, 0)
    before.step()
    second = copy.deepcopy(first).to(memory_format=torch.contiguous_format)
    after = kind(second.parameters(), lr=0.1, fused=True, **options)
    keep_memory_order(after)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    gradient = torch.randn(7, 5, 3, 3)
    for model, optimizer in ((first, before), (second, after)):
        model.weight.grad = torch.empty_like(model.weight).copy_(gradient)
        optimizer.step()
    torch.testing.assert_close(first.weight, second.weight)


@pytest.mark.parametrize(('method', 'accumulative_counts'), [('bp', 1), ('auglocal', 1), ('auglocal', 2)])
def test_resume_in_another_memory_format(tiny_config, tmp_path, method, accumulative_counts):
    settings = {'optim_wrapper.accumulative_counts': accumulative_counts, 'model.channels_last': True}
    whole = Runner.from_cfg(tiny_config(method, work_dir=str(tmp_path / 'whole'), **settings))
    whole.train()
    config = tiny_config(method, work_dir=str(tmp_path / 'resumed'), **{**settings, 'model.channels_last': False})
    config.load_from, config.resume = str(tmp_path / 'whole' / 'epoch_1.pth'), True
    resumed = Runner.from_cfg(config)
    resumed.train()
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=1e-3, atol=3e-4, msg=name)
