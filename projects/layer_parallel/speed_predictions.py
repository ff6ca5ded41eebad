"""What the planner predicts for the trainings that ``speed.py`` measures."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from statistics import median

import torch
from speed_cases import BATCH, FULL, HALF, TWICE, Case, config_of
from speed_trainings import Backpropagation, OneStage, Sequential
from torch import distributed
from two_processes import while_other_repeats

from auglocal_mm.planning.costs.candidates import candidate_costs, time_costs, update_seconds
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.other_heads import UNIFORM
from auglocal_mm.planning.costs.timed_costs import with_updates
from auglocal_mm.planning.parallel.devices import Devices
from auglocal_mm.planning.parallel.predictions import backpropagation_alone, data_parallel, layer_parallel, sequential
from auglocal_mm.planning.parallel.stages import ParallelPlan
from auglocal_mm.planning.plan import AUGLOCAL, Plan, PlannedModule
from auglocal_mm.planning.search.frontier import Training
from auglocal_mm.planning.search.modules import modules_from
from auglocal_mm.runtime.gradient_average import BUCKET

ROUNDS = 2
"""How often a layer is timed in each round of ``speed.py``, after one that warms up."""
STATES = 1
"""Of SGD with momentum, for each parameter."""


@dataclass(frozen=True)
class Times:
    """The times of what one process computes.

    Attributes:
        costs: Of single layers, by the number of images.
        update_seconds: Of the optimizer for one parameter.
    """

    costs: dict[int, NetworkCosts]
    update_seconds: float


class Predictor:
    """Predicts the seconds of an iteration of each method from times of single layers.

    Of methods that keep one process busy, layers are timed while the other process sleeps. Of those that keep both busy, they are
    timed while the other process trains what it has in that method: the cores share caches and memory.

    Args:
        case: What is trained.
        stages: Of each local module.
        alone: Its training by one process.
        backpropagation: Its training by BP, by one process.
    """

    def __init__(self, case: Case, stages: Sequence[int], alone: Sequential, backpropagation: Backpropagation) -> None:
        self.config = config_of(
            case, local=case.heads['type'] == AUGLOCAL
        )  # which keeps the settings of its heads alone
        depth = case.heads.get('depth', UNIFORM)
        (self.costs,) = candidate_costs(self.config, [depth], False, [case.heads['type']])
        sizes = [len(module.layers) for module in alone.model.local_modules()]
        self.edges = list(pairwise(accumulate(sizes, initial=0)))
        self.stages, self.own_stage, self.backpropagation = stages, OneStage(alone, stages), backpropagation

    def predict(self) -> dict[str, float]:
        """By method. Both processes call it at the same time."""
        return {**self._one_process(), **self._layer_parallel(), **self._data_parallel()}

    def _one_process(self) -> dict[str, float]:
        times, training = while_other_repeats(None, 0, partial(self._times, [BATCH])), Training(BATCH, STATES)
        devices, costs = Devices(1, math.inf, 0.0, update_seconds=times.update_seconds), times.costs[BATCH]
        plan = Plan(
            tuple(module for stage in (0, 1) for module in self._stage(times, stage, BATCH).modules), costs.kind
        )
        return {
            'sequential': sequential(plan, training).seconds,
            'BP': backpropagation_alone(costs, training, devices).seconds,
        }

    def _layer_parallel(self) -> dict[str, float]:
        measure = partial(self._times, [BATCH, 2 * BATCH])
        times = [while_other_repeats(self.own_stage.step, stage, measure) for stage in (0, 1)]
        devices, seconds = Devices(2, _bits_per_second(), latency=0.0), {}
        for name, images in {'layer-parallel': BATCH, TWICE: 2 * BATCH}.items():
            plan = ParallelPlan(tuple(self._stage(times[stage], stage, images) for stage in (0, 1)))
            seconds[name] = layer_parallel(self.costs, plan, Training(images, STATES), devices).seconds
        return seconds

    def _data_parallel(self) -> dict[str, float]:
        times = while_other_repeats(
            self.backpropagation.step, 0, partial(self._times, [BATCH // 2, BATCH], heads=False)
        )
        devices = Devices(2, _bits_per_second(), 0.0, update_seconds=times.update_seconds, overlap=False)
        return {
            name: data_parallel(times.costs.__getitem__, Training(images, STATES), devices).seconds
            for name, images in {HALF: BATCH, FULL: 2 * BATCH}.items()
        }

    def _times(self, sizes: Sequence[int], heads: bool = True) -> Times:
        kinds = [self.costs if heads else replace(self.costs, heads={})]
        costs = {size: time_costs(self.config, kinds, size, amp=False, rounds=ROUNDS)[0] for size in sizes}
        return Times(costs, update_seconds(STATES))

    def _stage(self, times: Times, stage: int, images: int) -> Plan:
        """The local modules of a stage, with the updates of their weights."""
        updated = with_updates(times.costs[images], times.update_seconds, images)
        own = [edge for edge, each in zip(self.edges, self.stages, strict=True) if each == stage]
        return Plan(tuple(_module(updated, first, end - 1) for first, end in own), updated.kind)


def _module(costs: NetworkCosts, first: int, last: int) -> PlannedModule:
    """The module of these local layers."""
    return next(module for module in modules_from(costs, first, float('inf'), False) if module.last == last)


def _bits_per_second() -> float:
    """The speed at which the two processes average a bucket of gradients."""
    seconds, bucket = [], torch.zeros(BUCKET // 4)
    for _ in range(4):
        distributed.barrier()
        start = time.perf_counter()
        distributed.all_reduce(bucket)
        seconds.append(time.perf_counter() - start)
    return 8 * BUCKET / median(seconds[1:])
