"""Finds the fastest layer-parallel training: local modules, their heads, what they recompute, and their devices, together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.timed_costs import NANOSECONDS, with_updates
from auglocal_mm.planning.parallel.devices import Devices
from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.frontier import SHARES, Training, memory_of
from auglocal_mm.planning.search.modules import modules_from
from auglocal_mm.planning.search.plans import backpropagation
from auglocal_mm.planning.search.spare_norms import keep_norms
from auglocal_mm.runtime.link import LIMIT
from auglocal_mm.runtime.split import best_cuts


@dataclass(frozen=True)
class ParallelPlan:
    """Local modules and their devices.

    Attributes:
        stages: The modules of each device, from the input on.
    """

    stages: tuple[Plan, ...]

    @property
    def plan(self) -> Plan:
        """All modules, as one device would train them."""
        return Plan(tuple(module for stage in self.stages for module in stage.modules), self.stages[0].kind)

    @property
    def splits(self) -> list[int]:
        """Indices of the modules with which all stages but the first begin, as ``layer_parallel.splits`` takes them."""
        counts = [len(stage.modules) for stage in self.stages]
        return [sum(counts[:index]) for index in range(1, len(counts))]


def stage_seconds(stage: Plan, training: Training) -> float:
    """Seconds of a stage in an iteration, with the updates of its weights if the plan was made with them."""
    return stage.compute * training.batch_size / NANOSECONDS


def sent_bytes(costs: NetworkCosts, last: int, batch_size: int) -> float:
    """Bytes that a stage sends in an iteration: the features after a local layer, and taps that are read later."""
    taps = sum(layer.output for layer in costs.layers[:last] if layer.tapped)
    return (costs.layers[last].output + taps) * batch_size


def stage_bytes(costs: NetworkCosts, last: int, batch_size: int) -> float:
    """:func:`sent_bytes` of layer-parallel training: with the images, if a head after the next local layer may read them."""
    images = costs.image * batch_size if costs.reads_images and last + 2 < len(costs.layers) else 0.0
    return sent_bytes(costs, last, batch_size) + images


def stage_memory(costs: NetworkCosts, stage: Plan, training: Training) -> float:
    """Peak memory of a stage in bytes, with features on their way in both directions."""
    first, last = stage.modules[0].first, stage.modules[-1].last
    moving = LIMIT * stage_bytes(costs, first - 1, training.batch_size) if first else 0.0
    if last + 1 < len(costs.layers):
        moving += LIMIT * stage_bytes(costs, last, training.batch_size)
    return memory_of(stage, training).total + moving


def fastest_stages(costs: NetworkCosts, training: Training, devices: Devices) -> ParallelPlan | None:
    """The plan whose slowest stage or link is fastest, if one fits the memory of the devices.

    Exact for what it searches: of each run of layers the fastest modules at each of the budgets of ``SHARES``, descending, of
    which the first that fits a device counts; then every cut into stages.

    Args:
        costs: Times of the network and of the candidate heads, without updates.
        training: The batch and the optimizer.
        devices: What the stages run on.
    """
    total, costs = len(costs.layers), with_updates(costs, devices.update_seconds, training.batch_size)
    missing = {(first, last) for first in range(total) for last in range(first, total)}
    stages: dict[tuple[int, int], Plan] = {}
    reference = backpropagation(costs).activations
    for budget in (float('inf'), *(share * reference for share in SHARES)):
        found = _runs(costs, budget, missing)
        stages |= {run: plan for run, plan in found.items() if stage_memory(costs, plan, training) <= devices.memory}
        missing -= stages.keys()
        if not missing or devices.memory == float('inf'):
            break

    def seconds(first: int, last: int) -> float:
        if (first, last) not in stages:
            return float('inf')
        sent = devices.seconds_to_send(stage_bytes(costs, last, training.batch_size)) if last + 1 < total else 0.0
        return max(stage_seconds(stages[first, last], training), sent)

    cut = best_cuts(total, devices.number, seconds).get(devices.number)
    return ParallelPlan(tuple(stages[run] for run in cut)) if cut else None


def _runs(costs: NetworkCosts, budget: float, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], Plan]:
    """Of each wanted run of layers the fastest local modules within a budget of activations for one image."""
    total = len(costs.layers)
    options = {first: modules_from(costs, first, budget, False) for first in range(total)}
    found: dict[tuple[int, int], Plan] = {}
    for first in range(total):
        lasts = {last for start, last in wanted if start == first}
        best = _from(first, options, max(lasts)) if lasts else {}
        plans = {last: Plan(best[last + 1][1], costs.kind) for last in lasts if last + 1 in best}
        found |= {(first, last): keep_norms(costs, plan, budget) for last, plan in plans.items()}
    return found


def _from(
    first: int, options: Mapping[int, Sequence[PlannedModule]], most: int
) -> dict[int, tuple[int, tuple[PlannedModule, ...]]]:
    """By the layer after a run that starts at ``first``: the time of its fastest modules, and these modules."""
    best: dict[int, tuple[int, tuple[PlannedModule, ...]]] = {first: (0, ())}
    for start in range(first, most + 1):
        for module in options[start] if start in best else ():
            time = best[start][0] + module.compute
            if module.last + 1 not in best or time < best[module.last + 1][0]:
                best[module.last + 1] = (time, (*best[start][1], module))
    return best
