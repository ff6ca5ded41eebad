import pytest
import torch
import torchvision
from torch import Tensor

from auglocal_mm.ops.nms import nms

DEVICES = ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']


def random_boxes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """``count`` boxes that overlap a lot, the last of them of zero width, and scores without ties."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 20
    sizes = torch.rand(count, 2, generator=generator) * 12
    sizes[-1, 0] = 0
    return torch.cat((corners, corners + sizes), dim=1), torch.randperm(count, generator=generator) / count


def overlap(a: list[float], b: list[float], offset: int) -> float:
    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(0.0, x2 - x1 + offset) * max(0.0, y2 - y1 + offset)

    shared = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    return shared / (area(*a) + area(*b) - shared)


def slow_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> list[int]:
    """Greedy NMS from its definition: from the best score down, keep each box that overlaps no kept box too much."""
    rows = boxes.tolist()
    kept: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: -scores[i].item()):
        if all(overlap(rows[index], rows[better], offset) <= iou_threshold for better in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('iou_threshold', [0.1, 0.5, 0.7])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('seed', range(4))
def test_equals_the_definition(seed: int, offset: int, iou_threshold: float, device: str) -> None:
    boxes, scores = random_boxes(150, seed)
    expected = slow_nms(boxes.double(), scores, iou_threshold, offset)
    kept = nms(boxes.to(device), scores.to(device), iou_threshold=iou_threshold, offset=offset)
    assert kept.dtype == torch.int64
    assert kept.device.type == device
    assert kept.tolist() == expected
    assert 1 < len(expected) < 150


def test_the_offset_changes_what_is_kept() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 1.0], [1.0, 0.0, 3.0, 1.0]])  # overlaps 1/3, and 4/8 when pixels are counted
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.4, offset=0).tolist() == [0, 1]
    assert nms(boxes, scores, 0.4, offset=1).tolist() == [0]


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('inner', [1, 3, 6, 7])
def test_an_overlap_of_exactly_the_threshold_is_kept(inner: int, device: str) -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 1.0], [0.0, 0.0, inner, 1.0]], device=device)
    scores = torch.tensor([0.9, 0.8], device=device)
    assert nms(boxes, scores, inner / 10, offset=0).tolist() == [0, 1]
    assert nms(boxes, scores, inner / 10 - 0.01, offset=0).tolist() == [0]


def test_without_offset_it_equals_torchvision() -> None:
    boxes, scores = random_boxes(500, seed=5)
    assert torch.equal(nms(boxes, scores, 0.5, 0), torchvision.ops.nms(boxes, scores, 0.5))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('offset', [0, 1])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype, offset: int) -> None:
    boxes, scores = random_boxes(60, seed=6)
    boxes, scores = boxes.to(dtype), scores.to(dtype)
    assert torch.equal(nms(boxes, scores, 0.5, offset), nms(boxes.float(), scores.float(), 0.5, offset))


def test_scores_can_be_more_precise_than_boxes() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1]])
    scores = torch.tensor([0.5, 0.5 + 1e-12], dtype=torch.float64)
    assert nms(boxes, scores, 0.5, 0).tolist() == [1]


def test_no_boxes() -> None:
    kept = nms(torch.empty(0, 4), torch.empty(0), 0.5, 1)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64


def test_inputs_stay_as_they_were() -> None:
    boxes, scores = random_boxes(10, seed=8)
    before = boxes.clone()
    nms(boxes, scores, 0.5, 1)
    assert torch.equal(boxes, before)


def test_batched_nms_of_mmcv_treats_classes_separately() -> None:
    from mmcv.ops import batched_nms

    boxes, scores = random_boxes(60, seed=9)
    labels = torch.arange(60) % 3
    dets, kept = batched_nms(boxes, scores, labels, {'type': 'nms', 'iou_threshold': 0.5})
    expected = torchvision.ops.batched_nms(boxes, scores, labels, 0.5)
    assert torch.equal(kept, expected)
    assert torch.equal(dets, torch.cat((boxes[expected], scores[expected, None]), dim=1))
