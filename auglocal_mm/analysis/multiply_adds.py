"""Multiply-adds and parameters of the primary network and of its auxiliary networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.local.shapes import NormsUncomputed
from auglocal_mm.local.state import State
from auglocal_mm.models import ImageClassifier

T = TypeVar('T')


@dataclass(frozen=True)
class MultiplyAdds:
    """The costs of one network with its auxiliary networks, for one forward pass of one image.

    Attributes:
        primary: Multiply-adds of convolutions and linear layers of the primary network with its classifier.
        auxiliary: The same of all auxiliary networks, without layers that only a loss uses, such as InfoPro's decoder, times
            the share of the images that they read.
        primary_norms: Number of elements that BatchNorm layers of the primary network normalise.
        auxiliary_norms: The same of the auxiliary networks.
        primary_parameters: Number of parameters of the primary network.
        auxiliary_parameters: Number of parameters of the auxiliary networks.
    """

    primary: int
    auxiliary: int
    primary_norms: int
    auxiliary_norms: int
    primary_parameters: int
    auxiliary_parameters: int

    @property
    def total(self) -> int:
        """The FLOPs of the paper's tables: multiply-adds, and two for each element of a BatchNorm.

        This convention of fvcore's counter in evaluation mode reproduces all cells of the paper's ResNet-110 tables but
        one (d = 6, r = 1.0: printed 0.90, here 0.894).
        """
        return self.primary + self.auxiliary + 2 * (self.primary_norms + self.auxiliary_norms)


@torch.no_grad()
def network_cost(model: ImageClassifier, image_size: int) -> MultiplyAdds:
    """Counts with PyTorch's own counter.

    Args:
        model: The classifier, on any device; on ``'meta'`` nothing is computed.
        image_size: Side of the image in pixels.
    """
    training = model.training
    model.eval()
    state = State(torch.empty(1, 3, image_size, image_size, device=next(model.parameters()).device))
    sums = [[0, 0], [0, 0]]
    for module in model.local_modules():
        own = int(module.head is not model.head)
        layers, state = _count(module.layers, module, state)
        head, _ = _count(module.head, module.head.logits, state)
        shared = [round(module.head.batch_share * count) for count in head]
        for row, counts in ((0, layers), (own, shared)):
            sums[row] = [a + b for a, b in zip(sums[row], counts, strict=True)]
    model.train(training)
    auxiliary = sum(p.numel() for p in model.auxiliary_heads.parameters()) if model.auxiliary_heads else 0
    everything = sum(p.numel() for p in model.parameters())
    (primary, primary_norms), (heads, head_norms) = sums
    return MultiplyAdds(primary, heads, primary_norms, head_norms, everything - auxiliary, auxiliary)


def _count(network: nn.Module, function: Callable[[State], T], state: State) -> tuple[tuple[int, int], T]:
    """Multiply-adds and normalised elements of a forward pass, and its output."""
    elements: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: elements.append(output.numel()))
        for module in network.modules()
        if isinstance(module, _BatchNorm)
    ]
    with FlopCounterMode(display=False) as counter, NormsUncomputed():
        outputs = function(state)
    for hook in hooks:
        hook.remove()
    return (counter.get_total_flops() // 2, sum(elements)), outputs
