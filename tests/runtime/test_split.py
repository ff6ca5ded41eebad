"""The split among stages is the best there is, by trying all."""

import itertools

import pytest
import torch
from tests_models import cifar_resnet, classifier

from auglocal_mm.errors import InputError
from auglocal_mm.runtime.split import balanced_split, module_seconds, owners_text, stages_of_splits


@pytest.mark.parametrize('num_stages', [1, 2, 3, 7])
def test_no_split_has_a_faster_slowest_stage(num_stages):
    generator = torch.Generator().manual_seed(num_stages)
    costs = torch.rand(7, generator=generator).tolist()

    def slowest(stages) -> float:
        return max(sum(cost for cost, each in zip(costs, stages, strict=True) if each == k) for k in range(num_stages))

    splits = itertools.combinations(range(1, 7), num_stages - 1)
    best = min(slowest(stages_of_splits(each, 7)) for each in splits)
    found = balanced_split(costs, num_stages)
    assert found == sorted(found) and set(found) == set(range(num_stages))
    assert slowest(found) == best


@pytest.mark.parametrize('splits', [[0], [7], [3, 3], [4, 2], [1.5], ['2']])
def test_splits_out_of_order_or_range_are_refused(splits):
    with pytest.raises(InputError, match=r'layer_parallel\.splits'):
        stages_of_splits(splits, 7)


def test_timing_changes_nothing():
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    seconds = module_seconds(
        model.local_modules(), torch.randn(2, 3, 32, 32, generator=torch.Generator()), torch.zeros(2).long()
    )
    assert len(seconds) == len(model.local_modules()) and min(seconds) > 0
    assert [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])] == []
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_owners_and_what_the_split_can_give():
    text = owners_text(['stem', 'layer1.0', 'layer1.1'], [0, 0, 1], [1.0, 2.0, 1.5])
    assert 'process 1: stem to layer1.0 (2 local modules), 67% of the time' in text
    assert 'process 0: layer1.1, 33% of the time' in text
    assert '1.50 times' in text
