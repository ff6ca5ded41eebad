"""Images per second of each way to train on several devices."""

from collections.abc import Sequence
from statistics import mean

from pydantic import BaseModel
from simulation import (
    Link,
    Stage,
    data_parallel,
    layer_parallel,
    pipelined,
    seconds_per_iteration,
    slowness,
)

from auglocal_mm.files.json_file import Count

IMAGES = 1024
"""In an iteration, on all devices together: the batch size of the paper's ResNet-34."""
LATENCY = 20e-6
"""Seconds, of every message."""
ITERATIONS = 50
"""Simulated with jitter, after the first fill; a fifth of them where devices wait for each other in every iteration."""
MICRO_BATCHES = 4
"""For each stage of a pipeline."""


class Setting(BaseModel):
    """The devices and what connects them.

    Attributes:
        device: Which kind.
        devices: How many.
        bandwidth: Gbit/s in each direction.
        jitter: As in :func:`simulation.slowness`.
        straggler: As there.
    """

    device: str
    devices: Count
    bandwidth: Count
    jitter: float = 0.0
    straggler: float = 1.0

    @property
    def link(self) -> Link:
        """The connection between devices."""
        return Link(self.bandwidth * 1e9 / 8, LATENCY)

    def slowness(self, stages: int, iterations: int) -> list[tuple[float, ...]]:
        """By iteration, the slowness of every device; the straggler is in the middle of the first replica."""
        count = iterations if self.jitter else 1
        rows = slowness(self.devices, count, self.jitter, self.straggler, slow_device=stages // 2)
        return list(zip(*rows, strict=True)) * (iterations // count)


def layer_parallel_rate(stages: Sequence[Stage], setting: Setting, speed: float) -> float:
    """Of layer-parallel local learning.

    Args:
        stages: Of each replica, for one image on the measured thread.
        setting: The devices.
        speed: Of a device, in speeds of the measured thread.
    """
    replicas, fill = setting.devices // len(stages), len(stages) + 10
    scaled = [stage.scaled(IMAGES / replicas, speed) for stage in stages]
    slow = list(zip(*setting.slowness(len(stages), fill + (ITERATIONS if setting.jitter else 10)), strict=True))
    groups = {tuple(slow[first : first + len(stages)]) for first in range(0, setting.devices, len(stages))}
    events = layer_parallel(scaled, setting.link, list(groups), replicas)
    return IMAGES / seconds_per_iteration(events, fill)


def pipeline_rate(stages: Sequence[Stage], setting: Setting, speed: float) -> float:
    """Of pipelined backpropagation; replicas average the gradients of a stage when it has ended its iteration.

    Args:
        stages: As for :func:`layer_parallel_rate`.
        setting: The devices.
        speed: Of a device.
    """
    count = len(stages)
    replicas, micro_batches = setting.devices // count, MICRO_BATCHES * count
    scaled = [stage.scaled(IMAGES / replicas / micro_batches, speed) for stage in stages]
    averages = [setting.link.all_reduce(stage.gradients, replicas) for stage in stages]
    seconds = []
    for slow in setting.slowness(count, ITERATIONS // 5 if setting.jitter else 1):
        groups = {slow[first : first + count] for first in range(0, setting.devices, count)}  # equal ones once
        ends = zip(*(pipelined(scaled, setting.link, group, micro_batches) for group in groups), strict=True)
        seconds.append(max(max(end) + average for end, average in zip(ends, averages, strict=True)))
    return IMAGES / mean(seconds)


def data_parallel_rate(layers: Sequence[Stage], setting: Setting, speed: float) -> float:
    """Of data-parallel backpropagation.

    Args:
        layers: All layers, for one image on the measured thread.
        setting: The devices.
        speed: Of a device.
    """
    scaled = [layer.scaled(IMAGES / setting.devices, speed) for layer in layers]
    slow = setting.slowness(1, ITERATIONS // 5 if setting.jitter else 1)
    return IMAGES / mean(data_parallel(scaled, setting.link, each) for each in slow)
