"""The memory of a step, against counts by hand."""

import torch
from torch.utils.checkpoint import checkpoint

from auglocal_mm.planning.costs.activation_meter import ActivationMeter

WEIGHTS = torch.ones(1000, requires_grad=True)
SIZE = 4 * 1000
SCALARS = 8
"""The sum that is differentiated, and its gradient."""


def test_temporaries_count_in_the_peak_but_are_not_saved():
    with ActivationMeter() as meter:
        (WEIGHTS + 1).exp().sum().backward()  # backward needs the result of exp, but not the sum before it
    assert meter.peak == 2 * SIZE
    assert meter.saved == SIZE + SCALARS


def test_what_is_recomputed_is_saved_then():
    def twice(values: torch.Tensor) -> torch.Tensor:
        return (values + 1).exp().exp()

    with ActivationMeter() as meter:
        middle = WEIGHTS.exp()
        checkpoint(twice, middle, use_reentrant=False).sum().backward()
    assert meter.saved == 3 * SIZE + SCALARS  # middle and both results of twice


def test_existing_tensors_count_once_they_are_followed():
    images = torch.ones(1000)
    with ActivationMeter() as meter:
        meter.follow(images)
        (WEIGHTS * images).sum().backward()
    assert meter.saved == SIZE + SCALARS
    assert meter.peak == 2 * SIZE + 4  # the product and its sum
