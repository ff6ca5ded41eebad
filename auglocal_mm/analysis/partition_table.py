"""The costs of a partition: parameters and FLOPs of every local module and its auxiliary network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State
from auglocal_mm.models import AuxiliaryHead

T = TypeVar('T')


@dataclass(frozen=True)
class ModuleCost:
    """One local module.

    Attributes:
        name: Its local layers.
        auxiliary: The structure of its head: the copied layers and ``fc``, or the name of the local learning method.
        parameters: Number of parameters of the layers.
        head_parameters: Number of parameters of the head.
        flops: Floating-point operations of one forward pass of one image through the layers.
        head_flops: The same for the head, times the share of the images that it reads.
    """

    name: str
    auxiliary: str
    parameters: int
    head_parameters: int
    flops: int
    head_flops: int


@torch.no_grad()
def module_costs(modules: Sequence[LocalModule], names: Sequence[str], image: Tensor) -> list[ModuleCost]:
    """Counts parameters and FLOPs with PyTorch's own counter (a multiply-add is two operations).

    Args:
        modules: The local modules, in order.
        names: Names of all local layers, in order.
        image: One image (1, 3, H, W).
    """
    costs, state = [], State(image)
    for module in modules:
        flops, state = _count(module.layers, module, state)
        head_flops, _ = _count(module.head, module.head.logits, state)
        shared = round(module.head.batch_share * head_flops)
        sizes = _size(module.layers), _size(module.head)
        costs.append(ModuleCost(module.name, _structure(module.head, names), *sizes, flops, shared))
    return costs


def to_table(costs: Sequence[ModuleCost], image_size: Sequence[int]) -> Table:
    """A table for the terminal, with the sums in its last row."""
    height, width = image_size
    table = Table(title=f'{len(costs)} local modules; GFLOPs of one forward pass at {height}x{width}', show_footer=True)
    table.add_column('#', footer='')
    table.add_column('module', footer='all')
    table.add_column('auxiliary network', footer='')
    for title, key, unit in (
        ('M params', 'parameters', 1e6),
        ('aux. M params', 'head_parameters', 1e6),
        ('GFLOPs', 'flops', 1e9),
        ('aux. GFLOPs', 'head_flops', 1e9),
    ):
        table.add_column(title, justify='right', footer=f'{sum(getattr(cost, key) for cost in costs) / unit:.3f}')
    for number, cost in enumerate(costs, start=1):
        figures = (cost.parameters / 1e6, cost.head_parameters / 1e6, cost.flops / 1e9, cost.head_flops / 1e9)
        table.add_row(str(number), cost.name, cost.auxiliary, *(f'{figure:.3f}' for figure in figures))
    return table


def _count(network: nn.Module, function: Callable[[State], T], state: State) -> tuple[int, T]:
    training = network.training
    network.eval()
    with FlopCounterMode(display=False) as counter:
        outputs = function(state)
    network.train(training)
    return counter.get_total_flops(), outputs


def _structure(head: nn.Module, names: Sequence[str]) -> str:
    """The copied layers and ``fc``; the class of a head that copies none."""
    if isinstance(head, AuxiliaryHead) and not hasattr(head, 'selected'):
        return type(head).__name__.removesuffix('Head')
    return ' + '.join([*(names[number - 1] for number in getattr(head, 'selected', [])), 'fc'])


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
