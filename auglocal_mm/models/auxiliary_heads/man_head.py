"""Momentum auxiliary network: a head with a moving average of the next layer's parameters."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.local.layer_copy import copy_layer
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models.auxiliary_heads.auxiliary_head import AuxiliaryHead, Placement
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class MANHead(AuxiliaryHead):
    """Two copies of the next local layer, one with averaged parameters and one learnable, then an inner head.

    *Momentum Auxiliary Network for Supervised Local Learning* (Su et al., ECCV 2024): the inner
    head takes ``momentum_layer(h) + bias_layer(h)``. No gradient reaches the next layer; its parameters enter the moving
    average once per iteration: ``p <- momentum * p + (1 - momentum) * neighbour``.

    Args:
        placement: The place of the head in the network; the model fills it in.
        head: Config of the inner head, such as ``dict(type='InfoProHead')``.
        momentum: Of the moving average; 0.999 in the released code.
        loss_weights: Not accepted here; they belong to ``head``.

    Raises:
        InputError: ``loss_weights`` or a ``batch_share`` of the inner head is given, or ``momentum`` is outside [0, 1].
    """

    started: Tensor
    head: AuxiliaryHead
    looks_ahead = True

    def __init__(
        self, placement: Placement, head: Mapping[str, Any], momentum: float = 0.999, loss_weights: Any = None
    ) -> None:
        super().__init__(placement)
        if loss_weights is not None:
            raise InputError(
                'MANHead takes no loss_weights, since its loss is that of its inner head; move them into '
                "auxiliary_heads.head: head=dict(type='InfoProHead', loss_weights=dict(...))"
            )
        if not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
            raise InputError(f'momentum of MANHead is {momentum!r}; expected a number from 0 to 1')
        neighbour = placement.layers[placement.layer].module
        self.momentum = momentum
        self._neighbour = [neighbour]  # in a list, since it belongs to the primary network
        self.momentum_layer = copy.deepcopy(neighbour).requires_grad_(False)
        self.bias_layer = _fresh(neighbour, placement)
        self.head = MODELS.build({**head, 'placement': replace(placement, layer=placement.layer + 1)})
        if self.head.batch_share < 1:
            raise InputError(
                f'auxiliary_heads.head.batch_share is {self.head.batch_share}, but MANHead takes the whole batch; remove it'
            )
        self.reads_images = self.head.reads_images
        self.register_buffer('started', torch.tensor(0))  # not a boolean: buffers are averaged over processes

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, classes) of the local module's output (N, C, H, W)."""
        return self.head(self._mix(features))

    def loss(self, state: State, targets: Targets) -> dict[str, Tensor]:
        """The loss of the inner head, after an update of the moving average."""
        self._follow()
        return self.head.loss(replace(state, features=self._mix(state.features)), targets)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the parts, since :meth:`loss` calls them directly."""
        for part in (self.momentum_layer, self.bias_layer, self.head):
            part.compile(*args, **kwargs)

    def _mix(self, features: Tensor) -> Tensor:
        return self.momentum_layer(features) + self.bias_layer(features)

    @torch.no_grad()
    def _follow(self) -> None:
        """Updates the moving average; the first time, copies the parameters."""
        share = torch.where(self.started > 0, 1 - self.momentum, 1.0)
        for average, current in zip(self.momentum_layer.parameters(), self._neighbour[0].parameters(), strict=True):
            average.lerp_(current, share.to(average.dtype))
        self.started.fill_(1)


def _fresh(layer: torch.nn.Module, placement: Placement) -> torch.nn.Module:
    side, next_side = placement.shape.side, placement.shapes[placement.layer].side
    return copy_layer(layer, placement.shape.channels, stride=2 if side > next_side else 1)
