"""Narrows the structure of a local layer, for auxiliary networks with fewer channels. Plain PyTorch."""

import copy

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from auglocal_mm.errors import InputError
from auglocal_mm.local.layer_copy import copy_structure, like


def narrow_channels(channels: int, width: float) -> int:
    """``width`` times ``channels``, rounded, at least 1."""
    return max(1, round(width * channels))


def narrow_layer(layer: nn.Module, width: float) -> nn.Module:
    """A layer with the structure of ``layer`` and ``width`` times its channels, inside and at its output.

    Args:
        layer: A residual block with conv1, conv2 and downsample, or a sequence, whose parameters are all those of ungrouped
            convolutions and of BatchNorms.
        width: Above 0.

    Raises:
        InputError: It is another layer, whose channels depend on more than its convolutions.
    """
    _refuse_other_layers(layer, width)
    narrow = copy.deepcopy(layer)
    for parent in list(narrow.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                channels = [narrow_channels(each, width) for each in (child.in_channels, child.out_channels)]
                setattr(parent, name, like(child, None, *channels))
            elif isinstance(child, _BatchNorm):
                settings = (child.eps, child.momentum, child.affine, child.track_running_stats)
                setattr(parent, name, type(child)(narrow_channels(child.num_features, width), *settings))
    return narrow


def _refuse_other_layers(layer: nn.Module, width: float) -> None:
    general = [copy_structure.dispatch(kind) for kind in (object, nn.Sequential)]
    for module in layer.modules():
        plain = isinstance(module, _BatchNorm) or (isinstance(module, nn.Conv2d) and module.groups == 1)
        if copy_structure.dispatch(type(module)) not in general or (
            list(module.parameters(recurse=False)) and not plain
        ):
            raise InputError(
                f'auxiliary_heads.width is {width}, but the channels of a {type(module).__name__} cannot be scaled; remove the '
                'key, or use a network of residual blocks whose parameters are all in ungrouped Conv2d and in BatchNorm'
            )
