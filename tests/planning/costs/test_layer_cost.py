import pytest
import torch
from torch import nn

from auglocal_mm.planning.costs.layer_cost import LayerMeter


def layer() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))


def test_a_hand_count():
    cost = LayerMeter().measure('layer', layer, (3, 16, 16))
    maps = 8 * 16 * 16 * 4
    # The convolution's output. BatchNorm's is the layer's own; mean and deviation exist once for a batch.
    assert cost.internal == maps
    assert cost.output == maps
    assert cost.peak == 2 * maps
    multiply_adds = 27 * 8 * 256
    assert (cost.forward, cost.backward, cost.backward_without_input) == tuple(2 * multiply_adds * n for n in (1, 2, 1))
    assert cost.parameters == 27 * 8 + 16
    assert cost.output_shape == (8, 16, 16)


def test_autocast_halves_the_maps():
    plain, half = (LayerMeter(amp).measure('c', lambda: nn.Conv2d(3, 8, 1), (3, 16, 16)) for amp in (False, True))
    assert half.output == plain.output / 2
    assert half.output_dtype == torch.bfloat16
    again = LayerMeter(amp=True).measure('c', lambda: nn.Conv2d(3, 8, 1), (3, 16, 16), torch.bfloat16)
    assert half.internal - again.internal == 2 * 3 * 16 * 16  # the input's own copy in bfloat16


def test_a_structure_is_measured_once_and_left_as_it_was():
    meter, built = LayerMeter(), []

    def build() -> nn.Module:
        built.append(layer())
        return built[-1]

    assert meter.measure('a', build, (3, 8, 8)) is meter.measure('a', build, (3, 8, 8))
    meter.measure('a', build, (3, 4, 4))
    assert len(built) == 2
    norm = built[0][1]
    assert (norm.num_batches_tracked, norm.running_mean.sum(), norm.running_var.sum()) == (0, 0, 8)
    assert all(isinstance(p, nn.Parameter) and p.grad is None for p in built[0].parameters())
    assert torch.isfinite(built[0](torch.randn(2, 3, 8, 8))).all()


def test_layers_on_vectors():
    cost = LayerMeter().measure('fc', lambda: nn.Linear(5, 7), (5,))
    assert (cost.forward, cost.output, cost.output_shape) == (2 * 35, 28, (7,))
    assert cost.internal == pytest.approx(0)
