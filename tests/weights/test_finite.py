import pytest
import torch

from auglocal_mm.weights.finite import non_finite


@pytest.mark.parametrize('value', ['nan', 'inf', '-inf'])
def test_names_the_first_tensor_that_is_not_finite_wherever_it_is(value):
    bad = torch.tensor([[1.0, float(value)]], dtype=torch.float16)
    assert non_finite({'a': torch.ones(2), 'b': [{'c': bad}, bad]}) == f'b.0.c is {value}'


def test_what_is_finite_passes():
    state = {'count': torch.tensor(3), 'large': torch.full((4,), 3e38), 'empty': torch.ones(0), 'best': float('inf')}
    assert non_finite(state) is None
