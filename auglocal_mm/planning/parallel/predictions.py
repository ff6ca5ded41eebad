"""Predicted time, memory and traffic of layer-parallel training and of its rivals on the same devices."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.timed_costs import NANOSECONDS, with_updates
from auglocal_mm.planning.parallel.devices import Devices
from auglocal_mm.planning.parallel.stages import ParallelPlan, sent_bytes, stage_bytes, stage_memory, stage_seconds
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.frontier import Training, memory_of
from auglocal_mm.planning.search.plans import backpropagation
from auglocal_mm.runtime.split import best_cuts

CostsOf: TypeAlias = Callable[[int], NetworkCosts]
"""The times of the network for one of so many images in a batch: fewer images take longer each."""
MICRO_BATCHES = 4
"""Micro-batches of a pipeline for each of its stages."""


@dataclass(frozen=True)
class Prediction:
    """One way to train.

    Attributes:
        name: What it is.
        seconds: Of an iteration on the whole batch.
        memory: Peak bytes of the device that needs most.
        traffic: Bytes that the busiest link carries in an iteration, in one direction.
        devices: Number of devices that it uses.
    """

    name: str
    seconds: float
    memory: float
    traffic: float
    devices: int


def sequential(plan: Plan, training: Training) -> Prediction:
    """All local modules on one device."""
    seconds = stage_seconds(plan, training)
    return Prediction('local learning, one device', seconds, memory_of(plan, training).total, 0.0, 1)


def backpropagation_alone(costs: NetworkCosts, training: Training, devices: Devices) -> Prediction:
    """Backpropagation on one device."""
    plan = backpropagation(with_updates(costs, devices.update_seconds, training.batch_size))
    seconds = stage_seconds(plan, training)
    return Prediction('BP, one device', seconds, memory_of(plan, training).total, 0.0, 1)


def layer_parallel(costs: NetworkCosts, plan: ParallelPlan, training: Training, devices: Devices) -> Prediction:
    """Local learning with a stage on each device: as fast as the slowest stage or link, since no stage waits for a later one."""
    seconds = [stage_seconds(stage, training) for stage in plan.stages]
    sizes = [stage_bytes(costs, stage.modules[-1].last, training.batch_size) for stage in plan.stages[:-1]]
    memory = max(stage_memory(costs, stage, training) for stage in plan.stages)
    slowest = max([*seconds, *map(devices.seconds_to_send, sizes)])
    return Prediction(f'layer-parallel, {plan.plan.kind}', slowest, memory, max(sizes, default=0.0), len(plan.stages))


def data_parallel(costs_of: CostsOf, training: Training, devices: Devices) -> Prediction:
    """Backpropagation with a share of the batch on each device.

    Gradients are averaged while backward runs, at best; after it where the same cores compute both.
    """
    share = math.ceil(training.batch_size / devices.number)
    costs = with_updates(costs_of(share), devices.update_seconds, share)
    part, plan = replace(training, batch_size=share), backpropagation(costs)
    parameters = sum(module.parameters for module in plan.modules)
    forward = sum(layer.forward for layer in [*costs.layers, costs.classifier]) * share / NANOSECONDS
    whole = stage_seconds(plan, part)
    averaged = devices.seconds_to_average(4 * parameters)
    overlapped = max(whole, forward + averaged + parameters * devices.update_seconds)
    seconds = overlapped if devices.overlap else whole + averaged
    traffic = 2 * (devices.number - 1) / devices.number * 4 * parameters
    return Prediction('data-parallel BP', seconds, memory_of(plan, part).total, traffic, devices.number)


def pipelined(costs_of: CostsOf, training: Training, devices: Devices) -> Prediction:
    """Pipelined backpropagation (1F1B), the layers cut such that the slowest stage is fastest.

    A flush after ``MICRO_BATCHES`` micro-batches for each stage leaves a bubble of P - 1 of them; stage s keeps the saved tensors
    of P - s micro-batches.
    """
    number = min(devices.number, len(costs_of(training.batch_size).layers))
    micro = MICRO_BATCHES * number
    images = training.batch_size / micro
    costs = costs_of(math.ceil(images))
    parts = [[layer] for layer in costs.layers]
    parts[-1].append(costs.classifier)

    def seconds(first: int, last: int) -> float:
        layers = [layer for part in parts[first : last + 1] for layer in part]
        compute = sum(layer.forward + layer.backward for layer in layers) * images / NANOSECONDS
        sent = devices.seconds_to_send(sent_bytes(costs, last, 1) * images) if last + 1 < len(parts) else 0.0
        return max(compute, sent)  # features one way and gradients the other way

    cut = best_cuts(len(parts), number, seconds)[number]
    stages = [[layer for part in parts[first : last + 1] for layer in part] for first, last in cut]
    parameters = [sum(layer.parameters for layer in stage) for stage in stages]
    saved = [sum(layer.internal + layer.output for layer in stage) * images for stage in stages]
    memory = max(
        4 * (2 + training.states) * own + (number - index) * kept
        for index, (own, kept) in enumerate(zip(parameters, saved, strict=True))
    )
    slowest = max(seconds(*run) for run in cut)
    update = max(parameters) * devices.update_seconds
    traffic = max((sent_bytes(costs, last, training.batch_size) for _, last in cut[:-1]), default=0.0)
    return Prediction('pipelined BP (1F1B)', (micro + number - 1) * slowest + update, memory, traffic, number)


def all_predictions(costs_of: CostsOf, plan: ParallelPlan, training: Training, devices: Devices) -> list[Prediction]:
    """Layer-parallel training first, then its rivals."""
    costs = costs_of(training.batch_size)
    return [
        layer_parallel(costs, plan, training, devices),
        sequential(plan.plan, training),
        backpropagation_alone(costs, training, devices),
        data_parallel(costs_of, training, devices),
        pipelined(costs_of, training, devices),
    ]


def fastest_by_bandwidth(
    costs_of: CostsOf, plan: ParallelPlan, training: Training, devices: Devices, bandwidths: Sequence[float]
) -> list[tuple[float, str]]:
    """The name of what is fastest, of all that fits the memory of a device, at each bandwidth in bits per second."""
    found = []
    for bandwidth in bandwidths:
        predictions = all_predictions(costs_of, plan, training, replace(devices, bandwidth=bandwidth))
        fitting = [each for each in predictions if each.memory <= devices.memory]
        found.append((bandwidth, min(fitting, key=lambda each: each.seconds).name))
    return found
