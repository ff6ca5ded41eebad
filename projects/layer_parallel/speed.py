"""Times layer-parallel training with two processes against one process, and against data-parallel BP with both.

Everything is measured in rounds by the same two processes, one thread each, and predicted from times of single layers in the same
rounds. Ratios are those of the same round::

    OMP_NUM_THREADS=1 python projects/layer_parallel/speed.py --out projects/layer_parallel/results
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel
from speed_cases import BATCH, FULL, HALF, TWICE, Case
from speed_predictions import Predictor
from speed_trainings import Backpropagation, LayerParallel, Sequential
from torch import distributed
from two_processes import run_processes

from auglocal_mm.files.json_file import Positive, read_json
from auglocal_mm.runtime.split import balanced_split, stages_of_splits

FILL, ITERATIONS = 2, 4
"""Iterations that are not timed, until all stages work, and those that are."""


class Speed(BaseModel):
    """The seconds of an iteration by method and round, and what they are compared with.

    Attributes:
        name: Of the case.
        seconds: By method, for each round.
        predicted: The same by the planner, from times of single layers in that round.
        balance: The most that the split allows over one process, for each round.
        state: Bytes of weights, statistics and optimizer states, of one process and of each of two.
    """

    name: str
    seconds: dict[str, list[Positive]]
    predicted: dict[str, list[Positive]]
    balance: list[Positive]
    state: dict[str, Any]


class Speeds(BaseModel):
    """All cases."""

    cases: list[Speed]


def read_speeds() -> Speeds:
    """The content of ``results/speed.json``."""
    return read_json(Path(__file__).parent / 'results/speed.json', Speeds, 'restore it, or run speed.py')


def seconds_of(step: Callable[[], None], fill: int, iterations: int) -> float:
    """Seconds of one iteration, after those that fill the pipeline."""
    for _ in range(fill):
        step()
    start = time.perf_counter()
    for _ in range(iterations):
        step()
    return (time.perf_counter() - start) / iterations


def choose_split(case: Case, alone: Sequential) -> list[int]:
    """The stage of each module, from the times of the first process where the case does not say it."""
    if case.begin:
        return stages_of_splits([case.begin], len(alone.model.local_modules()))
    alone.step()
    times = []
    for _ in range(3):
        alone.step()
        times.append(alone.module_seconds())
    shared: list[Any] = [balanced_split([median(each) for each in zip(*times, strict=True)], 2)]
    distributed.broadcast_object_list(shared)
    return shared[0]


def measure(case: Case, rank: int, rounds: int) -> dict[str, Any]:
    """The seconds of an iteration by every method, by round, and the state of the processes in bytes."""
    alone = Sequential(case)
    stages = choose_split(case, alone)
    together = LayerParallel(case, stages)
    pipelines = {'layer-parallel': together, TWICE: LayerParallel(case, stages, 2 * BATCH)}
    methods: dict[str, tuple[bool, Any, int]] = {
        'sequential': (False, alone, 0),
        'BP': (False, Backpropagation(case), 0),
        **{name: (True, method, FILL) for name, method in pipelines.items()},
        HALF: (True, Backpropagation(case, True, BATCH // 2), 0),
        FULL: (True, Backpropagation(case, True), 0),
    }
    measured: dict[str, list[float]] = {name: [] for name in methods}
    predicted: dict[str, list[float]] = {name: [] for name in methods}
    bounds, predictor = [], Predictor(case, alone.model.local_modules(), stages)
    for number in range(rounds + 1):  # the first one warms up
        for name, (both, method, fill) in methods.items():
            distributed.barrier()
            if not both and rank > 0:
                continue
            timed = (ITERATIONS if both else ITERATIONS // 2) if number else 1
            if name in pipelines:
                method.expect(fill + timed)
            seconds = seconds_of(method.step, fill, timed)
            if number:
                measured[name].append(seconds)
            if number and method is alone:
                bounds.append(balance(alone.module_seconds(), stages))
        for name, seconds in (predictor.predict(rank) if number else {}).items():
            predicted[name].append(seconds)
    states: list[Any] = [None, None]
    distributed.all_gather_object(states, together.state_bytes())
    return {
        **asdict(case),
        'stages': stages,
        'seconds': measured,
        'predicted': predicted,
        'balance': bounds,
        'state': {'sequential': alone.state_bytes(), 'processes': states},
    }


def balance(seconds: Sequence[float], stages: Sequence[int]) -> float:
    """How much faster than one process the slowest stage is, without communication."""
    totals = [sum(time for time, stage in zip(seconds, stages, strict=True) if stage == each) for each in (0, 1)]
    return sum(totals) / max(totals)


if __name__ == '__main__':
    run_processes(measure, 'speed.json', __doc__)
