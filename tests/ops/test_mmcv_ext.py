import importlib
import pickle
import pkgutil
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.utils import ext_loader
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from auglocal_mm.errors import InputError
from auglocal_mm.ops import mmcv_ext, nms, roi_align


def test_the_three_kernels() -> None:
    assert mmcv_ext.nms is nms.nms
    assert mmcv_ext.roi_align_forward is roi_align.roi_align_forward
    assert mmcv_ext.roi_align_backward is roi_align.roi_align_backward


def test_any_other_op_exists_but_refuses_to_run() -> None:
    op = mmcv_ext.deform_conv_forward
    with pytest.raises(InputError, match=r'\bdeform_conv_forward\b.*`pip install .*onedl-mmcv`'):
        op(torch.zeros(1), kernel=3)


def test_names_that_python_itself_asks_for_are_not_ops() -> None:
    for name in ('__path__', '__wrapped__', '_repr_html_'):
        assert not hasattr(mmcv_ext, name)


@pytest.mark.parametrize('name', ['nms', 'softnms'])
def test_ops_can_be_pickled(name: str) -> None:
    op = getattr(mmcv_ext, name)
    copy = pickle.loads(pickle.dumps(op))
    if name == 'nms':
        assert copy is op
    else:
        with pytest.raises(InputError, match='softnms'):
            copy()


def test_reload_gives_the_same_module() -> None:
    assert importlib.reload(mmcv_ext) is mmcv_ext
    assert mmcv_ext.nms is nms.nms


def test_mmcv_finds_every_op_that_it_asks_for() -> None:
    import mmcv.ops

    for module in pkgutil.iter_modules(mmcv.ops.__path__):
        importlib.import_module(f'mmcv.ops.{module.name}')
    assert ext_loader.check_ops_exist()


@pytest.fixture
def mask_rcnn() -> Any:
    """mmdet's Mask R-CNN on a random ResNet-18, which keeps every detection."""
    from mmdet.registry import MODELS

    config = get_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py').model
    config.backbone.update(depth=18, init_cfg=None)
    config.neck.in_channels = [64, 128, 256, 512]
    config.test_cfg.rcnn.score_thr = 0.0
    config.test_cfg.rcnn.max_per_img = 5
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config)


@pytest.fixture
def image() -> dict[str, list]:
    """A 64 x 96 image with one square on it."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    mask = np.zeros((1, 64, 96), dtype=np.uint8)
    mask[:, 10:40, 20:50] = 1
    boxes = torch.tensor([[20.0, 10.0, 50.0, 40.0]])
    sample = DetDataSample(metainfo={'img_shape': (64, 96), 'ori_shape': (64, 96), 'scale_factor': (1.0, 1.0)})
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([3]), masks=BitmapMasks(mask, 64, 96))
    return {'inputs': [torch.randint(0, 255, (3, 64, 96), dtype=torch.uint8)], 'data_samples': [sample]}


def test_mask_rcnn_trains(mask_rcnn: Any, image: dict[str, list]) -> None:
    losses = mask_rcnn.train()(**mask_rcnn.data_preprocessor(image, training=True), mode='loss')
    total, named = mask_rcnn.parse_losses(losses)
    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox', 'loss_mask'} <= named.keys()
    total.backward()
    gradients = [parameter.grad for parameter in mask_rcnn.roi_head.mask_head.parameters()]
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert mask_rcnn.backbone.layer4[0].conv1.weight.grad.abs().sum() > 0


def test_mask_rcnn_predicts(mask_rcnn: Any, image: dict[str, list]) -> None:
    with torch.no_grad():
        (sample,) = mask_rcnn.eval()(**mask_rcnn.data_preprocessor(image), mode='predict')
    found = sample.pred_instances
    assert len(found) == 5
    assert found.masks.shape == (5, 64, 96)
    assert (found.scores.diff() <= 0).all()
