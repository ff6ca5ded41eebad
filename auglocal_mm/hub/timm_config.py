"""``config.json`` of a folder with weights, as timm reads it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from PIL.Image import Resampling
from torch import Tensor

from auglocal_mm.hub.training import Training
from auglocal_mm.transfer.run_config import RunConfig
from auglocal_mm.weights.backbone_record import BackboneRecord
from auglocal_mm.weights.layouts import difference, torchvision_name, torchvision_weights

INTERPOLATIONS = {key: each.name.lower() for each in Resampling for key in (each.name.lower(), f'{each}')}
"""timm's names of what torchvision's transforms take: the same names, or Pillow's numbers."""


def timm_config(weights: Mapping[str, Tensor], record: BackboneRecord, training: Training) -> dict[str, Any]:
    """The architecture, the classes and the record; for a classifier that timm has, also how images are prepared.

    Args:
        weights: As they are written.
        record: Their description.
        training: Of the weights.
    """
    name = torchvision_name(record.architecture)
    config: dict[str, Any] = {'architecture': name or record.architecture, 'num_classes': record.num_classes or 0}
    if len(training.classes) == record.num_classes:
        config['label_names'] = list(training.classes)
    if name and 'fc.weight' in weights and _is_timms(weights, name):
        config['num_features'] = weights['fc.weight'].shape[1]
        names = {'first_conv': 'conv1', 'classifier': 'fc', 'num_classes': record.num_classes}
        config['pretrained_cfg'] = {**names, **preparation(training.config)}
    return {**config, 'auglocal_mm': record.model_dump(exclude_unset=True)}


def _is_timms(weights: Mapping[str, Tensor], name: str) -> bool:
    """Whether timm has the network, with these names and shapes."""
    return bool(re.fullmatch(r'resnet\d+', name)) and not difference(weights, torchvision_weights(name), name)


def preparation(config: RunConfig) -> dict[str, Any]:
    """How validation images are prepared, in timm's words; pixels are from 0 to 1."""
    given = config.get('val_dataloader.dataset.transforms')
    parts = [each for each in (given if isinstance(given, Sequence) else ()) if isinstance(each, Mapping)]
    transforms = {str(each.get('type')).split('.')[-1]: each for each in parts}
    resize = transforms.get('Resize', {})
    resized, cropped = _sides(resize.get('size')), _sides(transforms.get('CenterCrop', {}).get('size'))
    size = cropped or resized or _sides(config.get('model.image_size')) or (224, 224)
    prepared = {
        'input_size': [3, *size],
        'crop_pct': size[0] / (resized or size)[0],
        'interpolation': INTERPOLATIONS.get(str(resize.get('interpolation')), 'bilinear'),
    }
    if resized and not isinstance(resize['size'], int):
        prepared['crop_mode'] = 'squash'  # to this height and width, whatever the image has
    for key in ('mean', 'std'):
        value = config.get(f'model.data_preprocessor.{key}')
        if isinstance(value, Sequence) and all(isinstance(each, int | float) for each in value):
            prepared[key] = [round(each / 255, 12) for each in value]  # 0.224, not 0.22399999999999998
    return prepared


def _sides(size: Any) -> tuple[int, int] | None:
    """Height and width; ``None`` of what is no size of an image."""
    sides = (size, size) if isinstance(size, int) else size
    is_size = isinstance(sides, list | tuple) and len(sides) == 2 and all(isinstance(each, int) for each in sides)
    return tuple(sides) if is_size else None
