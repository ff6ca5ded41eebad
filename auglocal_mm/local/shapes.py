"""Feature shapes, inferred without computing the features. Plain PyTorch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalLayer


@dataclass(frozen=True)
class FeatureShape:
    """The shape of one local layer's output.

    Attributes:
        size: Without the batch: maps (C, H, W) or tokens (T, C).
        channel_dim: The dimension of ``size`` that counts channels.
    """

    size: tuple[int, ...]
    channel_dim: int = 0

    @property
    def channels(self) -> int:
        """C."""
        return self.size[self.channel_dim]

    @property
    def side(self) -> float:
        """The height of maps; for tokens, the side of the square that they would fill."""
        positions = self.positions
        return positions[0] if len(positions) > 1 else math.sqrt(math.prod(positions))

    @property
    def positions(self) -> tuple[int, ...]:
        """(H, W) of maps, (T,) of tokens."""
        return self.size[: self.channel_dim] + self.size[self.channel_dim + 1 :]


@torch.no_grad()
def feature_shapes(
    layers: Sequence[LocalLayer], image_size: int, channel_dim: Callable[[Sequence[int]], int]
) -> list[FeatureShape]:
    """The shape of every local layer's output, from a forward pass on the meta device.

    Args:
        layers: The local layers in running order.
        image_size: Side of the square input image.
        channel_dim: Maps the size of an output to the dimension of its channels; the backbone's adapter has it.

    Raises:
        InputError: A layer does not fit the previous one, the image is too small for it, or its output is neither maps
            (N, C, H, W) nor tokens (N, T, C).
    """
    if not isinstance(image_size, int) or image_size < 1:
        raise InputError(
            f'model.image_size is {image_size!r}; expected the side of the training images in pixels, such as 224'
        )
    shapes = []
    features = torch.empty(2, 3, image_size, image_size, device='meta')
    for layer in layers:
        try:
            with NormsUncomputed():
                features = functional_call(layer.module, _without_data(layer.module), (features,))
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise InputError(
                f'local layer {layer.name} cannot take a tensor of shape {tuple(features.shape)}, which images of '
                f'{image_size} pixels give; set model.image_size, or correct partition.chain ({error})'
            ) from error
        if not isinstance(features, Tensor) or features.ndim < 3:
            found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise InputError(
                f'local layer {layer.name} gives {found}; a partition needs layers that give maps (N, C, H, W) or tokens '
                '(N, T, C): end partition.chain at the last of them'
            )
        size = tuple(features.shape[1:])
        shapes.append(FeatureShape(size, channel_dim(size)))
    _refuse_channels_last(shapes)
    return shapes


def _refuse_channels_last(shapes: Sequence[FeatureShape]) -> None:
    # The image is square. Maps (N, C, H, W) have C = H != W only by rare coincidence; maps (N, H, W, C) look like that
    # in every layer, or have H = W = C.
    sizes = [shape.size for shape in shapes if shape.channel_dim == 0 and len(shape.size) == 3]
    if (
        sizes
        and all(first == second for first, second, _ in sizes)
        and any(second != third for _, second, third in sizes)
    ):
        raise InputError(
            f'the local layers give maps of shape (N, {", ".join(map(str, sizes[-1]))}), which looks like (N, H, W, C); a '
            'partition needs maps (N, C, H, W): permute them, or give the backbone an adapter with its own channel_dim'
        )


class NormsUncomputed(TorchFunctionMode):
    """A context for forward passes that need shapes alone: a norm keeps them, but takes milliseconds on the meta device."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is functional.batch_norm:
            return torch.empty_like(args[0])
        return function(*args, **(kwargs or {}))


def _without_data(module: nn.Module) -> dict[str, Tensor]:
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: torch.empty_like(tensor, device='meta') for name, tensor in tensors}
