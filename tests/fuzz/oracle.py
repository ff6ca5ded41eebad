"""A detector that keeps what it is taught, and predicts what it was told to: losses and AP show what annotations became."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel, BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

TAUGHT = 'taught.jsonl'


@MODELS.register_module()
class Oracle(BaseModel):
    """Predicts the boxes and masks of a file, whatever the annotations say.

    Args:
        predictions: File of the predictions: for each name of an image, dicts with box (x, y, x, y), label and score. The
            mask is the box's lower triangle.
        data_preprocessor: Config of it.
        backbone: Config of one, which is only initialised.
    """

    def __init__(
        self,
        predictions: str,
        data_preprocessor: dict[str, Any] | None = None,
        backbone: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.backbone = MODELS.build(backbone) if backbone else BaseModule()  # as every detector has one
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.predictions = json.loads(Path(predictions).read_text())

    def forward(self, inputs: Tensor, data_samples: list[DetDataSample], mode: str = 'tensor') -> Any:
        """Losses, or predictions."""
        if mode == 'loss':
            with open(TAUGHT, 'a', encoding='utf-8') as file:
                file.writelines(json.dumps(_taught(sample)) + '\n' for sample in data_samples)
            return {'loss': self.weight.sum() * 0}
        for sample in data_samples:
            sample.pred_instances = _instances(self.predictions[Path(sample.img_path).name], sample.ori_shape)
        return data_samples


def triangle(box: list[float]) -> list[float]:
    """The polygon of the lower left half of a box (x, y, x, y)."""
    x1, y1, x2, y2 = box
    return [x1, y1, x2, y2, x1, y2]


def _taught(sample: DetDataSample) -> list[Any]:
    """The image's name and, for each instance, label, box, mask and whether it is ignored, in an order of their own."""
    instances = []
    for kind in ('gt_instances', 'ignored_instances'):
        found = getattr(sample, kind)
        masks = found.masks.to_ndarray() if 'masks' in found else np.zeros(len(found))
        for label, box, mask in zip(found.labels.tolist(), found.bboxes.tolist(), masks, strict=True):
            instances.append([kind, label, box, [int(i) for i in np.flatnonzero(mask)]])
    return [Path(sample.img_path).name, sorted(instances)]


def _instances(predictions: list[dict[str, Any]], shape: tuple[int, int]) -> InstanceData:
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    masks = []
    for x1, y1, x2, y2 in (each['box'] for each in predictions):
        inside = (columns > x1) & (rows < y2) & ((rows - y1) * (x2 - x1) > (columns - x1) * (y2 - y1))
        masks.append(torch.from_numpy(inside & (columns < x2) & (rows > y1)))
    return InstanceData(
        bboxes=torch.tensor([each['box'] for each in predictions], dtype=torch.float32),
        labels=torch.tensor([each['label'] for each in predictions]),
        scores=torch.tensor([each['score'] for each in predictions]),
        masks=torch.stack(masks),
    )
