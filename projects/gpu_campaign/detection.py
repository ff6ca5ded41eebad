"""Mask R-CNN with torchvision's kernels: its operators and its losses on this device against those of a CPU."""

from typing import Any

import numpy as np
import torch
from campaign import Campaign
from coco import NARROW
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from networks import REPOSITORY

from auglocal_mm.ops import nms, roi_align
from auglocal_mm.registry import MODELS

BAR = 1e-4
"""Largest relative difference from a CPU."""
BEFORE_PROPOSALS = ('loss_rpn_cls', 'loss_rpn_bbox')
"""Losses that do not depend on proposals, whose order rounding can change."""


def boxes_and_pooling(campaign: Campaign) -> dict[str, Any]:
    """NMS keeps the boxes that it keeps on a CPU; RoIAlign gives the same features and gradients up to rounding."""
    torch.manual_seed(0)
    corners = torch.rand(2000, 2) * 200
    boxes, scores = torch.cat([corners, corners + 5 + 60 * torch.rand(2000, 2)], dim=1), torch.rand(2000)
    kept = [nms.nms(boxes.to(device), scores.to(device), 0.5, 0).cpu() for device in ('cpu', campaign.device)]
    features, rois = torch.randn(2, 16, 50, 50), torch.cat([torch.randint(2, (64, 1)).float(), boxes[:64]], dim=1)
    pooled = [pool(features.to(device), rois.to(device)) for device in ('cpu', campaign.device)]
    largest = max(float((one - other).norm() / one.norm()) for one, other in zip(*pooled, strict=True))
    same = torch.equal(*kept)
    return {'passed': same and largest <= BAR, 'same boxes': same, 'RoIAlign, relative difference': largest, 'bar': BAR}


def pool(features: torch.Tensor, rois: torch.Tensor) -> list[torch.Tensor]:
    """The pooled features of boxes, and the gradient of their weighted sum."""
    output, unused = features.new_zeros(len(rois), features.shape[1], 7, 7), features.new_zeros(0)
    settings = dict(aligned_height=7, aligned_width=7, spatial_scale=0.25, sampling_ratio=0, pool_mode=1, aligned=True)
    roi_align.roi_align_forward(features, rois, output, unused, unused, **settings)
    gradient = torch.zeros_like(features)
    weights = torch.linspace(-1, 1, output.numel(), device=features.device).view_as(output)
    roi_align.roi_align_backward(weights, rois, unused, unused, gradient, **settings)
    return [output.cpu(), gradient.cpu()]


def detector_losses(campaign: Campaign) -> dict[str, Any]:
    """The losses of one batch: those before the proposals are a CPU's, all are finite, also in bfloat16."""
    cpu = losses('cpu', campaign)
    here, half = losses(campaign.device, campaign), losses(campaign.device, campaign, torch.bfloat16)
    largest = max(abs(here[name] - cpu[name]) / abs(cpu[name]) for name in BEFORE_PROPOSALS)
    finite = all(np.isfinite(value) for found in (here, half) for value in found.values())
    return {
        'passed': finite and largest <= BAR,
        'relative difference': largest,
        'bar': BAR,
        'losses of a CPU': cpu,
        'losses': here,
        'losses in bfloat16': half,
    }


def losses(device: str, campaign: Campaign, dtype: torch.dtype | None = None) -> dict[str, float]:
    """All losses of Mask R-CNN R-34 on one random batch, after a backward pass."""
    init_default_scope('mmdet')
    config = Config.fromfile(REPOSITORY / 'configs/bp/benchmarks/mask-rcnn_r34-bp_fpn_8xb2-1x-adamw_coco.py')
    config.model.backbone.init_cfg = None
    if campaign.miniature:
        few = {'model.train_cfg.rcnn.sampler.num': 16, 'model.train_cfg.rpn_proposal.nms_pre': 50}
        config.merge_from_dict({**NARROW, **few})
    torch.manual_seed(0)
    model = MODELS.build({'_scope_': 'mmdet', **config.model})
    model.init_weights()
    model.to(device).train()
    data = model.data_preprocessor(batch(96 if campaign.miniature else 320), training=True)
    torch.manual_seed(0)  # of the samplers of proposals
    with torch.autocast(device, dtype, enabled=dtype is not None):
        found = model(**data, mode='loss')
    total, values = model.parse_losses(found)
    total.backward()
    return {name: float(value.detach()) for name, value in values.items() if 'loss' in name}


def batch(side: int) -> dict[str, list[Any]]:
    """Two random images with two objects each."""
    generator = np.random.default_rng(0)
    inputs = [torch.from_numpy(generator.integers(0, 256, (3, side, side), dtype=np.uint8)) for _ in range(2)]
    return {'inputs': inputs, 'data_samples': [objects(side) for _ in range(2)]}


def objects(side: int) -> DetDataSample:
    """Two objects with boxes and masks."""
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.5, 0.3, 0.9, 0.8]]) * side
    masks = np.zeros((2, side, side), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    labels = torch.tensor([3, 17])
    shape = (side, side)
    sample = DetDataSample(
        metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0), img_id=0, batch_input_shape=shape)
    )
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels, masks=BitmapMasks(masks, *shape))
    return sample
