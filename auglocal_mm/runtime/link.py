"""The two ends of the connection between consecutive stages.

Tensors arrive in the order in which they are sent. At most two are on their way, so that neither end needs memory for more if
the other one is slow.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed import ProcessGroup

LIMIT = 2
"""Number of iterations whose tensors may be on their way at one time."""


class Sender:
    """Sends without waiting, unless the receiver is more than :data:`LIMIT` iterations behind.

    Args:
        group: Of the two processes.
        rank: Of the receiver.
        tensors: Number of tensors that are sent in one iteration.
    """

    def __init__(self, group: ProcessGroup, rank: int, tensors: int) -> None:
        self.group, self.rank, self.limit = group, rank, LIMIT * tensors
        self.pending: deque[tuple[Any, Tensor]] = deque()  # a tensor must live until it is sent

    def send(self, tensor: Tensor) -> None:
        """Sends ``tensor``, which must not change afterwards."""
        while len(self.pending) >= self.limit:
            self.pending.popleft()[0].wait()
        self.pending.append((distributed.isend(tensor, self.rank, group=self.group), tensor))

    def send_object(self, thing: Any) -> None:
        """Sends a small object, and waits until it has arrived."""
        distributed.send_object_list([thing], self.rank, group=self.group)


class Receiver:
    """Receives the tensors of the next iteration while this one is computed.

    Args:
        group: Of the two processes.
        rank: Of the sender.
        device: On which tensors arrive.
    """

    def __init__(self, group: ProcessGroup, rank: int, device: torch.device) -> None:
        self.group, self.rank, self.device, self.remaining = group, rank, device, 0
        self.likes: Sequence[Tensor] = ()
        self.pending: deque[Arrival] = deque()

    def expect(self, iterations: int) -> None:
        """Says how many iterations are to come."""
        self.remaining = iterations

    def receive_object(self) -> Any:
        """Waits for an object."""
        things: list[Any] = [None]
        distributed.recv_object_list(things, self.rank, group=self.group)
        return things[0]

    def open(self, likes: Sequence[Tensor]) -> None:
        """Says what is sent in an iteration: tensors of the same shapes and types as ``likes``, which need no data."""
        self.likes = likes

    def receive(self) -> 'Arrival':
        """The tensors of the next iteration, each of which can be waited for."""
        while self.remaining and len(self.pending) < LIMIT:
            self.pending.append(Arrival([self._begin(like) for like in self.likes]))
            self.remaining -= 1
        return self.pending.popleft()

    def _begin(self, like: Tensor) -> tuple[Any, Tensor]:
        tensor = torch.empty_like(like, device=self.device)
        return distributed.irecv(tensor, self.rank, group=self.group), tensor


class Arrival:
    """The tensors of one iteration on their way.

    Args:
        pending: Each with what waits for it.
    """

    def __init__(self, pending: Sequence[tuple[Any, Tensor]]) -> None:
        self.pending = deque(pending)

    def next(self) -> Tensor:
        """Waits for the next tensor."""
        work, tensor = self.pending.popleft()
        work.wait()
        return tensor
