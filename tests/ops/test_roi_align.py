import math
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.ops.roi_align import roi_align_backward, roi_align_forward

DEVICES = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']
BINS = (2, 3)
ROIS = torch.tensor(
    [
        [0, 4.0, 3.0, 13.0, 11.0],
        [1, 0.5, 1.5, 17.0, 13.5],  # the whole map
        [1, -6.0, -5.0, 4.0, 6.0],  # partly outside, by more than a pixel of the map
        [0, 12.0, 9.0, 30.0, 29.0],
        [0, 5.0, 2.0, 5.0, 9.0],  # no width
        [1, 6.3, 6.4, 6.8, 6.9],  # smaller than a pixel
    ],
    dtype=torch.float64,
)


def features(seed: int = 0) -> Tensor:
    return torch.randn(2, 2, 7, 9, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def forward(maps: Tensor, rois: Tensor, **changes: Any) -> Tensor:
    """Calls the op as mmcv does, and returns its output."""
    output = maps.new_zeros(len(rois), maps.shape[1], *BINS)
    roi_align_forward(maps, rois, output, maps.new_zeros(0), maps.new_zeros(0), **arguments(**changes))
    return output


def backward(grad: Tensor, rois: Tensor, grad_input: Tensor, **changes: Any) -> Tensor:
    roi_align_backward(grad, rois, grad.new_zeros(0), grad.new_zeros(0), grad_input, **arguments(**changes))
    return grad_input


def arguments(**changes: Any) -> dict[str, Any]:
    usual = {'spatial_scale': 0.5, 'sampling_ratio': 0, 'pool_mode': 1, 'aligned': True}
    return dict(aligned_height=BINS[0], aligned_width=BINS[1], **{**usual, **changes})


def sample(plane: Tensor, y: float, x: float) -> float:
    """Bilinear, with edge values repeated for one pixel around the map and zero beyond."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = plane[top, left].item() * (1 - across) + plane[top, right].item() * across
    lower = plane[bottom, left].item() * (1 - across) + plane[bottom, right].item() * across
    return upper * (1 - down) + lower * down


def slow_roi_align(maps: Tensor, rois: Tensor, spatial_scale: float, sampling_ratio: int, aligned: bool) -> Tensor:
    """Averages of regularly spaced samples in each bin, in float64."""
    output = torch.zeros(len(rois), maps.shape[1], *BINS, dtype=torch.float64)
    for r, c, i, j in torch.cartesian_prod(*(torch.arange(size) for size in output.shape)).tolist():
        x1, y1, x2, y2 = (value * spatial_scale - (0.5 if aligned else 0) for value in rois[r, 1:].tolist())
        smallest = 0 if aligned else 1
        bin_height, bin_width = max(y2 - y1, smallest) / BINS[0], max(x2 - x1, smallest) / BINS[1]
        rows, columns = sampling_ratio or math.ceil(bin_height), sampling_ratio or math.ceil(bin_width)
        samples = [
            sample(
                maps[int(rois[r, 0]), c],
                y1 + (i + (row + 0.5) / rows) * bin_height,
                x1 + (j + (col + 0.5) / columns) * bin_width,
            )
            for row in range(rows)
            for col in range(columns)
        ]
        output[r, c, i, j] = sum(samples) / max(len(samples), 1)
    return output


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 1, 2, 3])
@pytest.mark.parametrize('spatial_scale', [1.0, 0.5])
def test_forward_equals_the_definition(spatial_scale: float, sampling_ratio: int, aligned: bool, device: str) -> None:
    settings: dict[str, Any] = {'spatial_scale': spatial_scale, 'sampling_ratio': sampling_ratio, 'aligned': aligned}
    output = forward(features().to(device), ROIS.to(device), **settings)
    torch.testing.assert_close(output.cpu(), slow_roi_align(features(), ROIS, **settings))


def test_an_empty_box_is_one_pixel_wide_only_when_not_aligned() -> None:
    empty = ROIS[4:5]
    assert forward(features(), empty, aligned=True).abs().sum() == 0
    assert forward(features(), empty, aligned=False).abs().sum() > 0


def test_forward_equals_torchvision() -> None:
    maps, rois = features().float(), ROIS.float()
    expected = torchvision.ops.roi_align(maps, rois, BINS, 0.5, 2, aligned=True)
    assert torch.equal(forward(maps, rois, sampling_ratio=2), expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    maps, rois, grad = features().to(dtype), ROIS.to(dtype), torch.randn(len(ROIS), 2, *BINS).to(dtype)
    output = forward(maps, rois)
    assert output.dtype == dtype
    assert torch.equal(output, forward(maps.float(), rois.float()).to(dtype))
    grad_input = backward(grad, rois, torch.zeros_like(maps))
    assert grad_input.dtype == dtype
    assert torch.equal(grad_input, backward(grad.float(), rois.float(), torch.zeros(maps.shape)).to(dtype))


def test_features_in_half_precision_with_float32_boxes() -> None:
    maps = features().half()
    assert torch.equal(forward(maps, ROIS.float()), forward(maps.float(), ROIS.float()).half())


def test_no_boxes() -> None:
    none = torch.zeros(0, 5, dtype=torch.float64)
    assert forward(features(), none).shape == (0, 2, *BINS)
    assert backward(features().new_zeros(0, 2, *BINS), none, torch.zeros_like(features())).abs().sum() == 0


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_gradients_through_mmcv(sampling_ratio: int, aligned: bool) -> None:
    from mmcv.ops import roi_align

    def pooled(maps: Tensor) -> Tensor:
        return roi_align(maps, ROIS, BINS, 0.5, sampling_ratio, 'avg', aligned)

    assert torch.autograd.gradcheck(pooled, features().requires_grad_())


def test_backward_adds_to_what_is_there() -> None:
    grad = torch.randn(len(ROIS), 2, *BINS, dtype=torch.float64)
    alone = backward(grad, ROIS, torch.zeros_like(features()))
    assert alone.abs().sum() > 0
    torch.testing.assert_close(backward(grad, ROIS, features()), features() + alone)


def test_max_pooling_is_refused() -> None:
    with pytest.raises(InputError, match=r'\broi_align_forward\b.*pool_mode=0\b'):
        forward(features(), ROIS, pool_mode=0)
    with pytest.raises(InputError, match=r'\broi_align_backward\b.*pool_mode=0\b'):
        backward(torch.ones(len(ROIS), 2, *BINS), ROIS, features(), pool_mode=0)
