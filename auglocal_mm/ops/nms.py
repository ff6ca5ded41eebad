"""``mmcv._ext.nms`` with torchvision's compiled kernel, on CPU and CUDA."""

import torch
from torch import Tensor
from torchvision import ops


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Drops every box that overlaps a kept box of higher score by more than ``iou_threshold``.

    Computes in float64 if boxes or scores are float64, else in float32: torchvision has no CPU kernel for float16, bfloat16
    and integers.

    Args:
        boxes: Shape (N, 4), as (x1, y1, x2, y2); N can be 0.
        scores: Shape (N,).
        iou_threshold: Boxes with a larger overlap are dropped.
        offset: 0 or 1; the width of a box is x2 - x1 + offset, its height y2 - y1 + offset.

    Returns:
        Indices of the kept boxes, best score first, as int64 of shape (K,).
    """
    dtype = torch.promote_types(torch.promote_types(boxes.dtype, scores.dtype), torch.float32)
    boxes = boxes.to(dtype)
    # torchvision has no offset, but adding it to x2 and y2 widens every box and every overlap by exactly that much.
    widened = torch.cat((boxes[:, :2], boxes[:, 2:] + offset), dim=1)
    # mmcv compares in float32; torchvision's double 0.3 would drop a box whose float32 overlap is exactly 0.3.
    threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    return ops.nms(widened, scores.to(dtype), threshold)
