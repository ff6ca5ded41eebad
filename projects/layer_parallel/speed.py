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


class Race:
    """The methods of a case, each measured once in a round.

    Attributes:
        methods: What trains, by name.
        predictor: Of their times.
        seconds: Of an iteration, by name, for each round.
        predicted: The same by the planner.
        balance: The most that the split allows over one process, for each round.
    """

    def __init__(self, case: Case) -> None:
        self.alone, backpropagation = Sequential(case), Backpropagation(case)
        self.stages = choose_split(case, self.alone)
        self.methods: dict[str, Any] = {
            'sequential': self.alone,
            'BP': backpropagation,
            'layer-parallel': LayerParallel(case, self.stages),
            TWICE: LayerParallel(case, self.stages, 2 * BATCH),
            HALF: Backpropagation(case, True, BATCH // 2),
            FULL: Backpropagation(case, True),
        }
        self.predictor = Predictor(case, self.stages, self.alone, backpropagation)
        self.seconds: dict[str, list[float]] = {name: [] for name in self.methods}
        self.predicted: dict[str, list[float]] = {name: [] for name in self.methods}
        self.balance: list[float] = []

    def run(self, rank: int) -> None:
        """One round: each method, then its prediction."""
        for name in self.methods:
            self.seconds[name] += self._time(name, rank, ITERATIONS)
        self.balance += [balance(self.alone.module_seconds(), self.stages)] if rank == 0 else []
        for name, seconds in self.predictor.predict().items():
            self.predicted[name].append(seconds)

    def warm_up(self, rank: int) -> None:
        """Trains one iteration by each method."""
        for name in self.methods:
            self._time(name, rank, 1)

    def _time(self, name: str, rank: int, iterations: int) -> list[float]:
        """The seconds of an iteration, if this process takes part; of half as many iterations if one process works alone."""
        method = self.methods[name]
        distributed.barrier()
        if name in ('sequential', 'BP'):
            return [seconds_of(method.step, 0, max(1, iterations // 2))] if rank == 0 else []
        if isinstance(method, LayerParallel):
            method.expect(FILL + iterations)
        return [seconds_of(method.step, FILL, iterations)]


def measure(case: Case, rank: int, rounds: int) -> dict[str, Any]:
    """The seconds of an iteration by every method, by round, and the state of the processes in bytes."""
    race = Race(case)
    race.warm_up(rank)
    for _ in range(rounds):
        race.run(rank)
    states: list[Any] = [None, None]
    distributed.all_gather_object(states, race.methods['layer-parallel'].state_bytes())
    return {
        **asdict(case),
        'stages': race.stages,
        'seconds': race.seconds,
        'predicted': race.predicted,
        'balance': race.balance,
        'state': {'sequential': race.alone.state_bytes(), 'processes': states},
    }


def balance(seconds: Sequence[float], stages: Sequence[int]) -> float:
    """How much faster than one process the slowest stage is, without communication."""
    totals = [sum(time for time, stage in zip(seconds, stages, strict=True) if stage == each) for each in (0, 1)]
    return sum(totals) / max(totals)


if __name__ == '__main__':
    run_processes(measure, 'speed.json', __doc__)
