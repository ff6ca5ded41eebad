"""What the planner predicts for the trainings that ``speed.py`` measures."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from statistics import median

import torch
from speed_cases import BATCH, FULL, HALF, TWICE, Case, config_of
from torch import distributed

from auglocal_mm.local.module import LocalModule
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


class Predictor:
    """Predicts the seconds of an iteration of each method from times of single layers.

    Of methods that keep one process busy, layers are timed while the other process sleeps; of those that keep both busy, while it
    times the same layers: the cores share caches and memory.

    Args:
        case: What is trained.
        modules: Its local modules.
        stages: Of each module.
    """

    def __init__(self, case: Case, modules: Sequence[LocalModule], stages: Sequence[int]) -> None:
        self.config = config_of(
            case, local=case.heads['type'] == AUGLOCAL
        )  # which keeps the settings of its heads alone
        depth = case.heads.get('depth', UNIFORM)
        (self.costs,) = candidate_costs(self.config, [depth], False, [case.heads['type']])
        self.edges = list(pairwise(accumulate((len(module.layers) for module in modules), initial=0)))
        self.stages = stages

    def predict(self, rank: int) -> dict[str, float]:
        """By method, in the first process; nothing in the other one."""
        distributed.barrier()
        alone = self._one_process() if rank == 0 else {}
        distributed.barrier()
        both = self._two_processes()
        return {**alone, **both} if rank == 0 else {}

    def _one_process(self) -> dict[str, float]:
        costs, devices = self._timed(BATCH), _devices(1)
        plan = self._plan(costs, devices)
        return {
            'sequential': sequential(plan.plan, Training(BATCH, STATES)).seconds,
            'BP': backpropagation_alone(costs, Training(BATCH, STATES), devices).seconds,
        }

    def _two_processes(self) -> dict[str, float]:
        devices = _devices(2)
        images = {size: self._timed(size, heads=size >= BATCH) for size in (BATCH // 2, BATCH, 2 * BATCH)}
        rivals = [
            data_parallel(images.__getitem__, Training(batch, STATES), devices).seconds for batch in (BATCH, 2 * BATCH)
        ]
        own = [self._layer_parallel(images[batch], batch, devices) for batch in (BATCH, 2 * BATCH)]
        return {'layer-parallel': own[0], TWICE: own[1], HALF: rivals[0], FULL: rivals[1]}

    def _layer_parallel(self, costs: NetworkCosts, images: int, devices: Devices) -> float:
        return layer_parallel(costs, self._plan(costs, devices, images), Training(images, STATES), devices).seconds

    def _timed(self, images: int, heads: bool = True) -> NetworkCosts:
        costs = self.costs if heads else replace(self.costs, heads={})
        return time_costs(self.config, [costs], images, amp=False, rounds=ROUNDS)[0]

    def _plan(self, costs: NetworkCosts, devices: Devices, images: int = BATCH) -> ParallelPlan:
        """The modules of the case, in its stages."""
        updated = with_updates(costs, devices.update_seconds, images)
        modules = [_module(updated, first, end - 1) for first, end in self.edges]
        return ParallelPlan(
            tuple(
                Plan(
                    tuple(module for module, own in zip(modules, self.stages, strict=True) if own == stage), costs.kind
                )
                for stage in (0, 1)
            )
        )


def _module(costs: NetworkCosts, first: int, last: int) -> PlannedModule:
    """The module of these local layers."""
    return next(module for module in modules_from(costs, first, float('inf'), False) if module.last == last)


def _devices(number: int) -> Devices:
    """So many processes of this machine, whose links are as fast as a bucket of gradients is averaged."""
    bandwidth = 8 * BUCKET / _seconds_to_average() if number > 1 else math.inf
    return Devices(number, bandwidth, latency=0.0, update_seconds=update_seconds(STATES), overlap=False)


def _seconds_to_average() -> float:
    seconds, bucket = [], torch.zeros(BUCKET // 4)
    for _ in range(4):
        distributed.barrier()
        start = time.perf_counter()
        distributed.all_reduce(bucket)
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])
