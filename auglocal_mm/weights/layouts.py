"""The names that a backbone's weights have in torchvision, timm and MMDetection."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from mmdet.models import ResNet
from torch import Tensor
from torchvision.models import get_model, list_models

from auglocal_mm.errors import InputError
from auglocal_mm.weights.load_weights import is_of_feature_extractor, resnet_architecture

LAYOUTS = ('torchvision', 'timm', 'mmdet')
OTHER_WIDTH = ' of base width '
"""Stands between the name of a ResNet and the channels of its stem, if these are not 64."""


def in_layout(state: Mapping[str, Tensor], layout: str, architecture: str) -> dict[str, Tensor]:
    """The weights as a library loads them strictly.

    timm's plain ResNets have the names and shapes of torchvision's. MMDetection's have no classifier, and any width.

    Args:
        state: A backbone, with or without its classifier, in torchvision's names.
        layout: One of ``LAYOUTS``.
        architecture: Such as ``ResNet-34``, or a name of torchvision such as ``mobilenet_v2``.

    Raises:
        InputError: The library has no such network, or another one under these names.
    """
    name = torchvision_name(architecture.partition(OTHER_WIDTH)[0] if layout == 'mmdet' else architecture)
    if name is None or (layout != 'torchvision' and not re.fullmatch(r'resnet\d+', name)):
        known = 'the networks of torchvision' if layout == 'torchvision' else 'ResNet-18, 34, 50, 101 and 152'
        raise InputError(
            f'--layout is {layout}, which is known for {known}, not for {architecture}; omit it to keep its own names'
        )
    expected = torchvision_weights(name)
    if layout == 'mmdet':
        state = {key: value for key, value in state.items() if is_of_feature_extractor(key)}
        expected = _mmdet_weights(int(name.removeprefix('resnet')), state)
    different = difference(state, expected, name)
    if different:
        raise InputError(f'--layout is {layout}, but {different}; omit it to keep the network as it is')
    return dict(state)


def torchvision_name(architecture: str) -> str | None:
    """``'resnet34'`` for ``'ResNet-34'``; ``None`` if torchvision has no such network."""
    name = re.sub(r'^ResNet-(\d+)$', r'resnet\1', architecture)
    return name if name in list_models() else None


def resnet_name(state: Mapping[str, Tensor]) -> str:
    """The ResNet that has these weights: ``'ResNet-34'``, ``'resnext50_32x4d'`` or ``'ResNet-34 of base width 32'``.

    ``'modified ResNet-34'`` has the same names with other shapes, and ``'unknown'`` other names.
    """
    plain = resnet_architecture(state)
    name = torchvision_name(plain)
    if name is None:
        return plain
    found = same_shapes(state, name)
    if found:
        return plain if found == name else found
    stem = state.get('conv1.weight')
    return f'modified {plain}' if stem is None or len(stem) == 64 else f'{plain}{OTHER_WIDTH}{len(stem)}'


def same_shapes(state: Mapping[str, Any], name: str) -> str | None:
    """The one among torchvision's ResNet ``name`` and its ResNeXts and wide ResNets that has weights of these shapes."""
    wider = re.compile(rf'(resnext|wide_resnet){name.removeprefix("resnet")}_')
    candidates = (name, *filter(wider.match, list_models()))
    return next((each for each in candidates if not difference(state, torchvision_weights(each), each)), None)


def torchvision_weights(name: str) -> dict[str, Tensor]:
    """The weights that torchvision's network ``name`` has, without values."""
    with torch.device('meta'):
        return get_model(name).state_dict()


def _mmdet_weights(depth: int, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of MMDetection's ResNet that is as wide as the stem of ``state``, without values."""
    width = state['conv1.weight'].shape[0] if 'conv1.weight' in state else 64
    with torch.device('meta'):
        return ResNet(depth, base_channels=width).state_dict()


def difference(state: Mapping[str, Any], expected: Mapping[str, Tensor], name: str) -> str | None:
    """The first weight below the classifier that is not as in the network ``name``; ``None`` if there is none.

    Counts of batches, with which no network computes, are not compared.
    """
    for key in [*expected, *state]:
        if not is_of_feature_extractor(key) or key.endswith('num_batches_tracked'):
            continue
        if key not in state:
            return f'it has no {key}, which {name} has'
        if key not in expected:
            return f'it has {key}, which {name} does not have'
        shapes = [tuple(weights[key].shape) for weights in (state, expected)]
        if shapes[0] != shapes[1]:
            return f'its {key} has the shape {shapes[0]}, and that of {name} {shapes[1]}'
    return None
