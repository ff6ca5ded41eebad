"""``mmcv._ext.roi_align_*`` with torchvision's compiled kernels, on CPU and CUDA.

Both compute in float64 if features or boxes are float64, else in float32: torchvision loses precision in float16 and has no
CPU kernel for bfloat16. They take mmcv's arguments, of which torchvision uses:

* ``rois`` (R, 5), as (index in the batch, x1, y1, x2, y2) in pixels of the image; R can be 0;
* ``spatial_scale``, pixels of the feature map per pixel of the image;
* ``sampling_ratio``, samples per bin along each axis, or 0 for as many as the bin has pixels;
* ``aligned``, whether pixel centres lie at half-integers; if not, a box is at least one pixel wide and high;
* ``pool_mode``, which must be 1 (average): torchvision has no maximum (0), for which ``argmax_*`` are.
"""

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

from auglocal_mm.ops.refusal import refuse_op

AVERAGE = 1


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Writes the features (R, C, aligned_height, aligned_width) of the boxes into ``output``.

    Args:
        input: Feature maps of shape (N, C, H, W).

    Raises:
        InputError: ``pool_mode`` is not 1.
    """
    _refuse_max('roi_align_forward', pool_mode)
    dtype = _compute_dtype(input, rois)
    pooled = torch.ops.torchvision.roi_align(
        input.to(dtype), rois.to(dtype), spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Adds the gradient with respect to the feature maps (N, C, H, W) to ``grad_input``.

    Args:
        grad_output: Gradient with respect to the output, shape (R, C, aligned_height, aligned_width).

    Raises:
        InputError: ``pool_mode`` is not 1.
    """
    _refuse_max('roi_align_backward', pool_mode)
    dtype = _compute_dtype(grad_output, rois)
    grad = torch.ops.torchvision._roi_align_backward(
        grad_output.to(dtype),
        rois.to(dtype),
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )
    grad_input.add_(grad)


def _compute_dtype(features: Tensor, rois: Tensor) -> torch.dtype:
    return torch.promote_types(torch.promote_types(features.dtype, rois.dtype), torch.float32)


def _refuse_max(op: str, pool_mode: int) -> None:
    if pool_mode != AVERAGE:
        refuse_op(f'{op} with pool_mode={pool_mode} (max)')
