"""Which process has which weights: each has those of its own local modules, and placeholders of the others.

A placeholder has one element in place of the weights. Parameters stay the objects that optimizers and hooks know.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, distributed, nn

from auglocal_mm.local.module import LocalModule
from auglocal_mm.runtime.grid import Grid

Tensors = dict[str, Tensor]


class Ownership:
    """The weights and running statistics of a network, divided among the stages of a replica.

    Args:
        network: The whole network.
        modules: Its local modules, in order.
        stages: For each module the index of its stage.
        grid: The processes.
    """

    def __init__(self, network: nn.Module, modules: Sequence[LocalModule], stages: Sequence[int], grid: Grid) -> None:
        self.grid = grid
        primary = {*_ids(modules[-1]), *(each for module in modules for each in _ids(module.layers))}
        owners = {each: stage for module, stage in zip(modules, stages, strict=True) for each in _ids(module)}
        self.owners = {name: owners[id(tensor)] for name, tensor in _tensors(network) if id(tensor) in owners}
        self.primary = [name for name, tensor in _tensors(network) if id(tensor) in primary]
        self.layouts: dict[str, tuple[torch.Size, tuple[int, ...]]] = {
            name: (tensor.shape, tensor.stride()) for name, tensor in _tensors(network)
        }

    def is_own(self, name: str) -> bool:
        """Whether this process trains a parameter; those that nobody trains are everyone's."""
        return self.owners.get(name, self.grid.stage) == self.grid.stage

    def release(self, network: nn.Module) -> None:
        """Frees what other stages train, in the network or in one with the same names."""
        for name, tensor in _tensors(network):
            if not self.is_own(name):
                tensor.data = tensor.new_zeros(1)

    def borrow(self, network: nn.Module) -> None:
        """Copies the primary network's weights from their owners to all stages, until :meth:`release`."""
        tensors = dict(_tensors(network))
        primary = [name for name in self.primary if name in tensors]
        for stage in range(self.grid.num_stages):
            names = sorted(
                (name for name in primary if self.owners[name] == stage), key=lambda name: str(tensors[name].dtype)
            )
            for _, group in groupby(names, key=lambda name: tensors[name].dtype):
                self._broadcast(stage, {name: tensors[name] for name in group})

    def _broadcast(self, stage: int, tensors: Mapping[str, Tensor]) -> None:
        counts = [self.layouts[name][0].numel() for name in tensors]
        if stage == self.grid.stage:
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors.values()])
        else:
            flat = next(iter(tensors.values())).new_empty(sum(counts))
        distributed.broadcast(flat, self.grid.rank(stage), group=self.grid.mesh.get_group('layer'))
        if stage != self.grid.stage:
            for (name, tensor), values in zip(tensors.items(), flat.split(counts), strict=True):
                shape, strides = self.layouts[name]
                tensor.data = torch.empty_strided(shape, strides, dtype=flat.dtype, device=flat.device)
                tensor.data.copy_(values.view(shape))

    def collect(self, own: Any) -> list[Any]:
        """Sends what each stage has to the last stage, the first process of the replica.

        Args:
            own: Of this stage; tensors in it arrive on the CPU.

        Returns:
            In the last stage what the others have sent, from the first stage on; nothing elsewhere.
        """
        if self.grid.stage < self.grid.num_stages - 1:
            distributed.send_object_list([own], self.grid.rank(self.grid.num_stages - 1), group=self.grid.control)
            return []
        return [self._receive(stage) for stage in range(self.grid.num_stages - 1)]

    def _receive(self, stage: int) -> Any:
        things: list[Any] = [None]
        distributed.recv_object_list(things, self.grid.rank(stage), group=self.grid.control)
        return things[0]

    def own_state(self, network: nn.Module) -> Tensors:
        """The weights and running statistics of this stage, on the CPU."""
        return {
            name: tensor.detach().cpu()
            for name, tensor in _tensors(network)
            if self.owners.get(name) == self.grid.stage
        }


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _ids(part: nn.Module) -> Iterable[int]:
    return [id(tensor) for _, tensor in _tensors(part)]
