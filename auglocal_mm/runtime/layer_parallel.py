"""Runs local modules on several devices at the same time: each process trains the modules of its stage.

Features flow from stage to stage without gradients, so that no stage waits for a later one: while one trains on a batch, the
previous one already trains on the next. Every module sees the same features, and has had the same updates before them, as in
the sequential executor.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import train_modules
from auglocal_mm.registry import EXECUTORS
from auglocal_mm.runtime.executor import Executor
from auglocal_mm.runtime.grid import current_grid
from auglocal_mm.runtime.link import Arrival, Receiver, Sender
from auglocal_mm.runtime.message import Item, MessageFormat, in_order
from auglocal_mm.runtime.optimizers import LocalOptimWrapper

STATISTICS = ('loss', 'accuracy', 'norm')
"""What every stage tells the next one of each local module."""


@EXECUTORS.register_module()
class LayerParallelExecutor(Executor):
    """Trains the local modules of one stage. Its results are those of all modules up to them.

    Args:
        model: The model of the modules.
        modules: All local modules, in order.
        optim_wrapper: Their optimizers.
        stages: For each module the index of its stage.
        batch_size: The largest number of images of one process in an iteration.
    """

    trains_in_turn = True

    def __init__(
        self,
        model: nn.Module,
        modules: Sequence[LocalModule],
        optim_wrapper: LocalOptimWrapper,
        stages: Sequence[int],
        batch_size: int,
    ) -> None:
        super().__init__(model, modules, optim_wrapper)
        grid = current_grid()
        assert grid is not None, 'the processes are arranged before the model is built'
        self.first = stages.index(grid.stage)
        self.own = [module for module, stage in zip(modules, stages, strict=True) if stage == grid.stage]
        later = modules[self.first + len(self.own) :]
        self.sends_images = any(module.head.reads_images for module in later)
        self.device = next(self.own[0].parameters()).device
        self.inbox: Receiver | None = None
        self.outbox: Sender | None = None
        if grid.incoming is not None:
            self.inbox = Receiver(grid.incoming, grid.rank(grid.stage - 1), self.device)
        if grid.outgoing is not None:
            self.outbox = Sender(grid.outgoing, grid.rank(grid.stage + 1), tensors=2)
        self.has_all_results = self.outbox is None
        self.batch_size = batch_size
        self.received: tuple[MessageFormat, tuple[str, ...]] | None = None
        self.sent: tuple[MessageFormat, tuple[str, ...]] | None = None

    def expect(self, iterations: int) -> None:
        """Lets the inputs of so many iterations arrive in advance."""
        if self.inbox:
            self.inbox.expect(iterations)

    def step(self, images: Tensor | None, labels: Any, seed: int = 0) -> list[dict[str, Tensor]]:
        """One iteration of this stage.

        Args:
            images: Preprocessed images (N, 3, H, W) in the first stage; the others receive what they need.
            labels: (N,) in the first stage.
            seed: As in :class:`Executor`.

        Returns:
            Loss and accuracy of all modules up to the last one of this stage, detached and still on the device.
        """
        arrival = self._arrival() if self.inbox else None
        state, targets = self._unpack(arrival.next()) if arrival else self._input(images, labels)
        updates = len(self.optim_wrapper.norms[self.first])
        results = train_modules(
            self.own,
            state,
            targets,
            lambda index, loss: self.optim_wrapper.update_module(self.first + index, loss),
            lambda index: self.context(seed, self.first + index),
            lambda index: self.is_due(self.first + index),
            partial(self._send, targets) if self.outbox else lambda state: None,
        )
        self.optim_wrapper.finish_update()
        updated = len(self.optim_wrapper.norms[self.first]) > updates
        rows = self._rows(results, updated)
        if arrival:
            rows = torch.cat([arrival.next(), rows])
        if self.outbox:
            self.outbox.send(rows)
        elif updated:
            for norms, row in zip(self.optim_wrapper.norms[: self.first], rows, strict=False):
                norms.append(row[2].to(self.optim_wrapper.norms[self.first][-1].dtype))
        return [{'loss': row[0], 'accuracy': row[1]} for row in rows]

    def _input(self, images: Tensor | None, labels: Any) -> tuple[State, Targets]:
        assert images is not None, 'the first stage reads them'
        if self.outbox and not isinstance(labels, Tensor):
            raise InputError(
                f'labels are of type {type(labels).__name__}; layer_parallel sends them from process to process and expects '
                'one tensor (N, ...)'
            )
        return State(images), Targets(labels, images)

    def _arrival(self) -> Arrival:
        """What the previous stage sends in this iteration, the format once before the first."""
        assert self.inbox is not None
        if self.received is None:
            self.received = self.inbox.receive_object()
            size = self.received[0].size
            rows = torch.empty(self.first, len(STATISTICS), dtype=torch.float64, device='meta')
            self.inbox.open([torch.empty(size, dtype=torch.uint8, device='meta'), rows])
        return self.inbox.receive()

    def _unpack(self, message: Tensor) -> tuple[State, Targets]:
        assert self.received is not None
        message_format, taps = self.received
        tensors = message_format.unpack(message)
        count = 1 + len(taps)
        labels, *images = tensors[count:]
        return State.from_tensors(tensors[:count], taps), Targets(labels, images[0] if images else None)

    def _send(self, targets: Targets, state: State) -> None:
        assert self.outbox is not None
        tensors = [*state.tensors(), targets.labels]
        if self.sends_images and targets.images is not None:
            tensors.append(targets.images)
        tensors = [in_order(tensor) for tensor in tensors]
        items = tuple(Item.of(tensor) for tensor in tensors)
        if self.sent is None:
            self.sent = MessageFormat(items, self.batch_size), tuple(state.taps)
            self.outbox.send_object(self.sent)
        message_format, _ = self.sent
        if items != message_format.items:
            raise InputError(
                f'the features after {self.own[-1].name} changed from {message_format.items} to {items} during training; '
                'layer_parallel needs images of one size'
            )
        self.outbox.send(message_format.pack(tensors))

    def _rows(self, results: Sequence[Mapping[str, Tensor]], updated: bool) -> Tensor:
        """Loss, accuracy and gradient norm of each module of this stage, float64 (modules, 3)."""
        own = self.optim_wrapper.norms[self.first : self.first + len(self.own)]
        nothing = torch.full((), math.nan, device=self.device)
        # The last stage keeps its norms until they are logged.
        norms = [(each[-1] if self.has_all_results else each.pop()) if updated else nothing for each in own]
        rows = [
            torch.stack([result['loss'].double(), result['accuracy'].double(), norm.double()])
            for result, norm in zip(results, norms, strict=True)
        ]
        return torch.stack(rows)
