"""The shapes of feature maps, found without computing them. Plain PyTorch."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call

from auglocal_mm.errors import InputError
from auglocal_mm.partition import LocalLayer

FeatureShape: TypeAlias = tuple[int, int, int]
"""Channels, height and width."""


@torch.no_grad()
def feature_shapes(layers: Sequence[LocalLayer], image_size: int) -> list[FeatureShape]:
    """The shape of every local layer's output, from a forward pass on tensors without data.

    Args:
        layers: The local layers in running order.
        image_size: Side of the square image that the first one gets.

    Raises:
        InputError: A layer does not fit the one before, the image is too small for it, or its output is no feature map
            (N, C, H, W).
    """
    if not isinstance(image_size, int) or image_size < 1:
        raise InputError(
            f'model.image_size is {image_size!r}; expected the side of the training images in pixels, such as 224'
        )
    shapes = []
    features = torch.empty(2, 3, image_size, image_size, device='meta')
    for layer in layers:
        try:
            features = functional_call(layer.module, _without_data(layer.module), (features,))
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise InputError(
                f'local layer {layer.name} cannot take a tensor of shape {tuple(features.shape)}, which images of '
                f'{image_size} pixels give; set model.image_size, or correct partition.chain ({error})'
            ) from error
        if not isinstance(features, Tensor) or features.ndim != 4:
            found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise InputError(
                f'local layer {layer.name} gives {found}; a partition needs layers that give one feature map '
                '(N, C, H, W) each: leave out of partition.chain what comes after the last map'
            )
        shapes.append((features.shape[1], features.shape[2], features.shape[3]))
    _refuse_channels_last(shapes)
    return shapes


def _refuse_channels_last(shapes: Sequence[FeatureShape]) -> None:
    # The image is square. Maps (N, C, H, W) of it have C = H and H != W in no layer but by a rare accident; maps
    # (N, H, W, C) have it in every layer, or H = W = C.
    if all(first == second for first, second, _ in shapes) and any(second != third for _, second, third in shapes):
        raise InputError(
            f'the local layers give maps of shapes such as (N, {", ".join(map(str, shapes[-1]))}), which look like '
            '(N, H, W, C); a partition needs layers that give (N, C, H, W): permute the maps, or take another network'
        )


def _without_data(module: nn.Module) -> dict[str, Tensor]:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: torch.empty_like(tensor, device='meta') for name, tensor in tensors}
