"""What a step holds, against counts by hand."""

import torch
from torch.utils.checkpoint import checkpoint

from auglocal_mm.planning.costs.activation_meter import ActivationMeter

WEIGHTS = torch.ones(1000, requires_grad=True)
SIZE = 4 * 1000
SCALARS = 8
"""The sum that is differentiated, and its gradient."""


def test_what_only_passes_is_held_and_not_saved():
    with ActivationMeter() as meter:
        (WEIGHTS + 1).exp().sum().backward()  # exp needs its result again, and no one the sum before it
    assert meter.peak == 2 * SIZE
    assert meter.saved == SIZE + SCALARS


def test_what_is_computed_again_is_saved_then():
    def twice(values: torch.Tensor) -> torch.Tensor:
        return (values + 1).exp().exp()

    with ActivationMeter() as meter:
        middle = WEIGHTS.exp()
        checkpoint(twice, middle, use_reentrant=False).sum().backward()
    assert meter.saved == 3 * SIZE + SCALARS  # middle and both results of twice


def test_what_was_there_before_counts_once_it_is_followed():
    images = torch.ones(1000)
    with ActivationMeter() as meter:
        meter.follow(images)
        (WEIGHTS * images).sum().backward()
    assert meter.saved == SIZE + SCALARS
    assert meter.peak == 2 * SIZE + 4  # the product and its sum
