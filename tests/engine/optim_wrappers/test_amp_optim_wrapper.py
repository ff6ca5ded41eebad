import pytest
import torch
from torch import nn

from auglocal_mm.engine.optim_wrappers import AmpOptimWrapper
from auglocal_mm.errors import InputError


def wrapper(network: nn.Module, **options) -> AmpOptimWrapper:
    return AmpOptimWrapper(optimizer=torch.optim.SGD(network.parameters(), lr=0.1), **options)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_forward_runs_in_half_and_weights_stay_float32(dtype):
    network = nn.Conv2d(1, 1, 3)
    amp = wrapper(network, dtype=dtype)
    with amp.optim_context(network):
        outputs = network(torch.randn(1, 1, 8, 8))
    assert outputs.dtype == getattr(torch, dtype)
    before = network.weight.clone()
    amp.update_params(outputs.float().pow(2).mean())
    assert network.weight.dtype == torch.float32
    assert not torch.equal(before, network.weight)
    assert amp.loss_scaler.is_enabled() == (dtype == 'float16')


def test_an_unknown_dtype_is_refused():
    with pytest.raises(InputError, match=r"optim_wrapper\.dtype.*'int8'.*bfloat16, float16"):
        wrapper(nn.Linear(1, 1), dtype='int8')


@pytest.mark.parametrize(('loss_scale', 'scales'), [(dict(init_scale=8.0), [8, 4]), (8.0, [8, 8])])
def test_the_scale_is_an_option(loss_scale, scales):
    network = nn.Linear(1, 1)
    amp = wrapper(network, dtype='float16', loss_scale=loss_scale)
    before = amp.loss_scaler.get_scale()
    amp.update_params(network(torch.full((1, 1), torch.inf)).sum())  # overflows
    assert [before, amp.loss_scaler.get_scale()] == scales


def test_an_unknown_scale_is_refused():
    with pytest.raises(InputError, match=r"optim_wrapper\.loss_scale.*'static'.*'dynamic'"):
        wrapper(nn.Linear(1, 1), dtype='float16', loss_scale='static')


def test_an_overflow_in_the_first_step_leaves_the_weights_and_no_momentum():
    network = nn.Linear(8, 8)
    before = network.weight.clone()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, fused=True)
    amp = AmpOptimWrapper(optimizer=optimizer, dtype='float16')
    amp.update_params(network(torch.full((1, 8), torch.inf)).sum())
    assert torch.equal(network.weight, before)
    assert torch.equal(optimizer.state[network.weight]['momentum_buffer'], torch.zeros(8, 8))
