"""Iterations of training on several devices, simulated event by event. Plain Python; times are in seconds.

Devices compute and send at the same time, and each direction of each link carries one message at a time.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import NamedTuple

from auglocal_mm.runtime.link import LIMIT

BUCKET = 25 * 2**20
"""Bytes of gradients that data-parallel training averages at one time, PyTorch's default."""


@dataclass(frozen=True)
class Stage:
    """The work of one device in an iteration, and what it sends.

    Attributes:
        before: Seconds of what comes before the features are sent. Local modules: all but the backward pass of the last one;
            backpropagation: the forward pass.
        after: Seconds of the rest.
        output: Bytes of the features.
        gradients: Bytes of the gradients of its parameters.
    """

    before: float
    after: float
    output: float = 0.0
    gradients: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of the whole iteration."""
        return self.before + self.after

    def scaled(self, images: float, speed: float) -> 'Stage':
        """The stage of so many images, on a device that is ``speed`` times as fast."""
        return Stage(self.before * images / speed, self.after * images / speed, self.output * images, self.gradients)


@dataclass(frozen=True)
class Link:
    """A connection between two devices.

    Attributes:
        bandwidth: Bytes per second in each direction.
        latency: Seconds between sending and arriving, in addition to the time that the bytes take.
    """

    bandwidth: float = inf
    latency: float = 0.0

    def seconds(self, size: float) -> float:
        """How long a message of ``size`` bytes occupies the link."""
        return size / self.bandwidth

    def all_reduce(self, size: float, devices: int) -> float:
        """How long a ring of devices takes to average ``size`` bytes: 2 (n - 1) steps, each with 1 / n of the bytes."""
        return 2 * (devices - 1) * (self.seconds(size / devices) + self.latency)


class Event(NamedTuple):
    """One iteration of one stage.

    Attributes:
        start: When its input has arrived and the previous iteration has ended.
        sent: When its features are handed to the link.
        arrived: When the next stage has them.
        end: When its parameters are updated.
    """

    start: float
    sent: float
    arrived: float
    end: float


def slowness(
    devices: int, iterations: int, jitter: float = 0.0, straggler: float = 1.0, slow_device: int = 0, seed: int = 0
) -> list[list[float]]:
    """By device and iteration, how many times longer than its nominal time the computation takes.

    Args:
        devices: Number of devices.
        iterations: Number of iterations.
        jitter: Standard deviation of the logarithm; factors are lognormal, with mean 1.
        straggler: A further factor of one device.
        slow_device: Which device that is.
        seed: Of the random numbers.
    """
    generator = random.Random(seed)
    return [
        [
            (straggler if device == slow_device else 1.0) * exp(generator.gauss(-(jitter**2) / 2, jitter))
            for _ in range(iterations)
        ]
        for device in range(devices)
    ]


def layer_parallel(
    stages: Sequence[Stage], link: Link, slow: Sequence[Sequence[Sequence[float]]], replicas: int = 1
) -> list[list[list[Event]]]:
    """Layer-parallel local learning, as :class:`auglocal_mm.runtime.LayerParallelExecutor` runs it.

    A stage waits for its input, for nothing of later stages, and for the link if it is :data:`LIMIT` iterations ahead of it.
    Replicas average the gradients of a stage at the end of its iteration, while it waits.

    Args:
        stages: Of each replica.
        link: Between consecutive stages, and between replicas.
        slow: By replica, stage and iteration, see :func:`slowness`; replicas of equal slowness need be given only once.
        replicas: How many there are.

    Returns:
        Events by replica in ``slow``, stage and iteration.
    """
    events: list[list[list[Event]]] = [[[] for _ in stages] for _ in slow]
    for iteration in range(len(slow[0][0])):
        for index, stage in enumerate(stages):
            own = [
                _event(stages, index, link, slow[replica][index][iteration], events[replica], iteration)
                for replica in range(len(slow))
            ]
            end = max(event.end for event in own) + link.all_reduce(stage.gradients, replicas)
            for replica, event in enumerate(own):
                events[replica][index].append(event._replace(end=end))
    return events


def _event(
    stages: Sequence[Stage], index: int, link: Link, slow: float, events: Sequence[Sequence[Event]], iteration: int
) -> Event:
    """The next iteration of a stage, before replicas wait for each other."""
    stage, own = stages[index], events[index]
    given = events[index - 1][iteration] if index else Event(0.0, 0.0, 0.0, 0.0)
    start = max(given.arrived, own[-1].end if own else 0.0)
    sent = arrived = start + slow * stage.before
    if index + 1 < len(stages):
        last, free = 0.0, own[-1].arrived - link.latency if own else 0.0
        if iteration >= LIMIT:
            sent = max(sent, own[-LIMIT].arrived)  # the sender keeps no more than LIMIT messages
            last = events[index + 1][iteration - LIMIT].end  # the receiver takes no more before it begins the next
        arrived = max(sent, free, last) + link.seconds(stage.output) + link.latency
    # Losses follow the features, when the previous stage has ended its iteration.
    end = max(sent + slow * stage.after, given.end + link.latency if index else 0.0)
    return Event(start, sent, arrived, end)


def seconds_per_iteration(events: Sequence[Sequence[Sequence[Event]]], fill: int) -> float:
    """The time between the ends of consecutive iterations of the last stage, after ``fill`` of them."""
    ends = [event.end for event in events[0][-1]]
    return (ends[-1] - ends[fill - 1]) / (len(ends) - fill)


def data_parallel(layers: Sequence[Stage], link: Link, slow: Sequence[float]) -> float:
    """Seconds of an iteration of data-parallel backpropagation.

    Gradients are averaged in buckets, each as soon as all devices have it and the one before is averaged. This overlaps with
    the rest of the backward pass at best: communication costs no computation.

    Args:
        layers: All layers, for the images of one device.
        link: Between neighbours in the ring.
        slow: How many times longer than nominal each device computes.
    """
    now, averaged, bucket = max(slow) * sum(layer.before for layer in layers), 0.0, 0.0
    for index in reversed(range(len(layers))):
        now += max(slow) * layers[index].after
        bucket += layers[index].gradients
        if bucket >= BUCKET or index == 0:
            averaged = max(averaged, now) + link.all_reduce(bucket, len(slow))
            bucket = 0.0
    return averaged


def pipelined(stages: Sequence[Stage], link: Link, slow: Sequence[float], micro_batches: int) -> list[float]:
    """Pipelined backpropagation with the schedule 1F1B, flushed in every iteration.

    Args:
        stages: For one micro-batch.
        link: Between consecutive stages.
        slow: How many times longer than nominal each stage computes.
        micro_batches: In an iteration.

    Returns:
        When each stage has ended the iteration.
    """
    orders = [deque(_order(index, len(stages), micro_batches)) for index in range(len(stages))]
    free = [0.0] * len(stages)
    channels: dict[tuple[str, int], float] = {}
    arrivals = {('forward', -1, micro_batch): 0.0 for micro_batch in range(micro_batches)}
    while any(orders):
        for index, order in enumerate(orders):
            while order and (source := _source(*order[0], index, len(stages))) in arrivals:
                kind, micro_batch = order.popleft()
                forward = kind == 'forward'
                free[index] = max(free[index], arrivals[source])
                free[index] += slow[index] * (stages[index].before if forward else stages[index].after)
                # The gradient of the input goes back over the link on which the input came.
                over = index if forward else index - 1
                arrival = free[index]
                if 0 <= over < len(stages) - 1:
                    start = max(free[index], channels.get((kind, index), 0.0))
                    channels[kind, index] = start + link.seconds(stages[over].output)
                    arrival = channels[kind, index] + link.latency
                arrivals[kind, index, micro_batch] = arrival
    return free


def _order(index: int, num_stages: int, micro_batches: int) -> list[tuple[str, int]]:
    """What a stage does: some forward passes, then one backward and one forward pass in turn."""
    ahead = min(num_stages - 1 - index, micro_batches)
    order = [('forward', each) for each in range(ahead)]
    for each in range(micro_batches):
        if each + ahead < micro_batches:
            order.append(('forward', each + ahead))
        order.append(('backward', each))
    return order


def _source(kind: str, micro_batch: int, index: int, num_stages: int) -> tuple[str, int, int]:
    """The operation whose result an operation of a stage needs."""
    if kind == 'forward':
        return 'forward', index - 1, micro_batch
    return ('backward', index + 1, micro_batch) if index + 1 < num_stages else ('forward', index, micro_batch)
