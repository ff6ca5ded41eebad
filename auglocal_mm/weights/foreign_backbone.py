"""ResNets in files of other programs: found by their names among heads and decoders, and complete, or refused."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from auglocal_mm.backbones.cifar_resnet import DEPTHS, CIFARResNet
from auglocal_mm.errors import InputError
from auglocal_mm.weights.finite import non_finite
from auglocal_mm.weights.layouts import difference, same_shapes, torchvision_name, torchvision_weights
from auglocal_mm.weights.load_weights import resnet_architecture

STEM, FIRST = 'conv1.weight', 'layer1.0.conv1.weight'
"""Weights that every ResNet has, by the names that torchvision, timm and the code released with AugLocal and InfoPro use."""
OF_RESNET = re.compile(r'(conv1|bn1|layer\d+)\.|fc\.(weight|bias)$')
"""Names of a ResNet's weights and of its linear classifier; others are those of heads, decoders and the like."""


@dataclass(frozen=True)
class ForeignBackbone:
    """A backbone without what surrounds it.

    Attributes:
        weights: In torchvision's names, with the linear classifier if there is one.
        architecture: ``ResNet-34``, ``CIFARResNet-32`` or ``resnext101_32x8d``, for example.
        dropped: Number of tensors that are not part of it, by the first part of their names, without numbers.
    """

    weights: dict[str, Tensor]
    architecture: str
    dropped: Counter[str]


def find_backbone(state: Mapping[str, Any], source: str) -> ForeignBackbone:
    """Finds the ResNet in a state dict.

    Args:
        state: Weights by name, under any prefix, with or without counts of batches.
        source: Its name in errors.

    Raises:
        InputError: There is none, or several; or a weight of it is missing, of another shape, unknown or not finite.
    """
    prefixes = [name.removesuffix(STEM) for name in state if name.endswith(STEM)]
    prefixes = [prefix for prefix in prefixes if prefix + FIRST in state]
    if len(prefixes) != 1:
        found = f'several backbones ({", ".join(prefixes)})' if prefixes else 'no ResNet'
        raise InputError(
            f'{source} has {found}; expected one {STEM} beside one {FIRST}, under any prefix: give weights of one ResNet'
        )
    names = {name: name.removeprefix(prefixes[0]) for name in state if name.startswith(prefixes[0])}
    # MAN++'s networks for CIFAR classify by fc64, and have an fc that no forward pass uses.
    if any(own.startswith('fc64.') for own in names.values()):
        names = {name: own.replace('fc64.', 'fc.') for name, own in names.items() if not own.startswith('fc.')}
    names = {name: own for name, own in names.items() if OF_RESNET.match(own) and isinstance(state[name], Tensor)}
    weights = {own: state[name] for name, own in names.items()}
    architecture, expected = _network(weights, source)
    different = difference(weights, expected, architecture)
    if different:
        raise InputError(f'{source} does not cover a backbone: {different}; give the weights of a plain {architecture}')
    bad = non_finite(weights)
    if bad:
        raise InputError(f'{source} comes from a diverged training: {bad}; use another file')
    dropped = Counter(re.sub(r'[._]?\d.*', '', name) for name in state if name not in names)
    return ForeignBackbone(weights, architecture, dropped)


def other_networks(checkpoint: Mapping[str, Any]) -> dict[str, int]:
    """Number of tensors of each network that a file holds beside that in ``state_dict``, such as an average of its weights."""
    return {
        key: sum(isinstance(each, Tensor) for each in value.values())
        for key, value in checkpoint.items()
        if key != 'state_dict' and isinstance(value, Mapping) and any(str(name).endswith(STEM) for name in value)
    }


def _network(weights: Mapping[str, Any], source: str) -> tuple[str, dict[str, Tensor]]:
    """The network with as many blocks, and its weights, of which the shapes count."""
    architecture = resnet_architecture(weights)
    name = torchvision_name(architecture)
    if name:
        same = same_shapes(weights, name) or name
        return architecture if same == name else same, torchvision_weights(same)
    blocks = {found[0] for each in weights if (found := re.match(r'layer\d+\.\d+\.', each))}
    depth = 2 * len(blocks) + 2
    if depth not in DEPTHS:
        raise InputError(
            f'{source} has a ResNet of {len(blocks)} blocks; expected ResNet-18, 34, 50, 101, 152 or a CIFARResNet-'
            f'{", ".join(map(str, DEPTHS))}: give the weights of one of these'
        )
    return f'CIFARResNet-{depth}', CIFARResNet(depth).state_dict()
