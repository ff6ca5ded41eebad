"""Follows layer-parallel training with two processes: when each computes, and when each waits for the other.

The bound of ``speed.py`` assumes that a module takes as long beside another process as alone. This is measured too: in every
round, one process trains all modules while the other sleeps, both do so at the same time without exchanging anything, and both
train layer-parallel::

    OMP_NUM_THREADS=1 python projects/layer_parallel/timeline.py --out projects/layer_parallel/results
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from pydantic import BaseModel
from speed import FILL, ITERATIONS, choose_split
from speed_cases import Case
from speed_trainings import LayerParallel, Sequential
from torch import distributed
from two_processes import run_processes

from auglocal_mm.analysis.tables import write_figure
from auglocal_mm.files.json_file import Positive, read_json
from auglocal_mm.runtime.link import Arrival

COLOURS = {'module': 'C0', 'send': 'C1', 'wait': 'C3'}
"""What a process does: it trains a module, waits for room to send features, or waits for features."""


class Event(BaseModel):
    """What a process does between two moments, in seconds of the clock that both have.

    Attributes:
        kind: One of :data:`COLOURS`.
        name: Of the local module.
    """

    kind: str
    name: str
    start: float
    end: float


class Timeline(BaseModel):
    """One case.

    Attributes:
        name: Of the case.
        stages: Of each local module.
        alone: Seconds of each module in each round, trained by one process while the other sleeps.
        beside: The same for each process, while both train all modules.
        together: The same for the process that trains the module, in layer-parallel training.
        waiting: For each round, the share of the time in which each process waits.
        events: Of the last round, for each process.
    """

    name: str
    stages: list[int]
    alone: list[list[Positive]]
    beside: list[list[list[Positive]]]
    together: list[list[Positive]]
    waiting: list[list[float]]
    events: list[list[Event]]


class Timelines(BaseModel):
    """All cases."""

    cases: list[Timeline]


def read_timelines(path: Path = Path(__file__).parent / 'results/timeline.json') -> Timelines:
    """The content of a file of timelines."""
    return read_json(path, Timelines, 'restore it, or run timeline.py')


class FollowedLayerParallel(LayerParallel):
    """Notes what this process does."""

    def __init__(self, case: Case, stages: Sequence[int]) -> None:
        super().__init__(case, stages)
        self.names = [module.name for module in self.model.local_modules()]
        self.forget()
        executor, update = self.executor, self.optim_wrapper.update_module

        def trained(index: int, loss: Any) -> None:
            update(index, loss)
            self.lap('module', self.names[index])
            self.trains = index + 1

        self.optim_wrapper.update_module = trained
        if executor.inbox:
            receive = executor.inbox.receive
            executor.inbox.receive = lambda: Noted(receive(), self)
        if executor.outbox:
            send = executor.outbox.send
            executor.outbox.send = lambda tensor: self.noted('send', lambda: send(tensor))

    def forget(self) -> None:
        """Begins a new timeline."""
        self.events: list[Event] = []
        self.moment = time.perf_counter()

    def lap(self, kind: str, name: str) -> None:
        """Notes what has been done since the last note."""
        start, self.moment = self.moment, time.perf_counter()
        self.events.append(Event(kind=kind, name=name, start=start, end=self.moment))

    def noted(self, kind: str, action: Callable[[], Any]) -> Any:
        """The result of ``action``; what precedes it belongs to the module that is trained."""
        trains_on = self.trains < self.executor.first + len(self.executor.own)
        self.lap('module', self.names[self.trains] if trains_on else '')
        result = action()
        self.lap(kind, '')
        return result

    def step(self) -> None:
        self.trains = self.executor.first
        super().step()
        self.lap('module', '')

    def module_seconds(self) -> dict[str, float]:
        """Of each module that this process trains, in an iteration."""
        seconds: dict[str, float] = defaultdict(float)
        for event in self.events:
            if event.kind == 'module' and event.name:
                seconds[event.name] += (event.end - event.start) / ITERATIONS
        return seconds

    def waiting(self) -> float:
        """The share of the time in which this process waits, from 0 to 1."""
        waits = sum(event.end - event.start for event in self.events if event.kind != 'module')
        return waits / (self.events[-1].end - self.events[0].start)


class Noted:
    """Stands for an :class:`Arrival`, and notes how long it is waited for."""

    def __init__(self, arrival: Arrival, training: FollowedLayerParallel) -> None:
        self.arrival, self.training = arrival, training

    def next(self) -> Any:
        return self.training.noted('wait', self.arrival.next)


def follow(case: Case, rank: int, rounds: int) -> dict[str, Any]:
    """The :class:`Timeline` of a case, in the first process."""
    alone = Sequential(case)
    stages = choose_split(case, alone)
    together = FollowedLayerParallel(case, stages)
    found: dict[str, list[Any]] = {'alone': [], 'beside': [], 'together': [], 'waiting': []}
    for _ in range(rounds):
        distributed.barrier()
        if rank == 0:
            alone.step()
            found['alone'].append(alone.module_seconds())
        distributed.barrier()
        alone.step()
        found['beside'].append(gathered(alone.module_seconds()))
        together.expect(FILL + ITERATIONS)
        distributed.barrier()
        for _ in range(FILL):
            together.step()
        together.forget()
        for _ in range(ITERATIONS):
            together.step()
        own = gathered(together.module_seconds())
        found['together'].append([{**own[0], **own[1]}[name] for name in together.names])
        found['waiting'].append(gathered(together.waiting()))
    events = gathered([event.model_dump() for event in together.events])
    return {'name': case.name, 'stages': stages, **found, 'events': events}


def gathered(thing: Any) -> list[Any]:
    """Of both processes."""
    things: list[Any] = [None, None]
    distributed.all_gather_object(things, thing)
    return things


def summary(case: Timeline) -> tuple[str, ...]:
    """A row: by which factors the modules of the slower stage take longer than alone, and who waits."""
    alone = [median(each) for each in zip(*case.alone, strict=True)]
    totals = [_of_stage(alone, case.stages, stage) for stage in (0, 1)]
    slower = totals.index(max(totals))
    rank = 1 - slower  # the last stage is the first process
    beside = [_of_stage(each[rank], case.stages, slower) / totals[slower] for each in case.beside]
    together = [_of_stage(each, case.stages, slower) / totals[slower] for each in case.together]
    waits = [f'{median(each[process] for each in case.waiting):.1%}' for process in (rank, 1 - rank)]
    return case.name, f'{sum(totals) / max(totals):.2f}x', f'{median(beside):.2f}x', f'{median(together):.2f}x', *waits


def _of_stage(seconds: Sequence[float], stages: Sequence[int], stage: int) -> float:
    return sum(each for each, own in zip(seconds, stages, strict=True) if own == stage)


def draw(case: Timeline, path: Path) -> None:
    """Writes the timeline of both processes in the last round."""
    figure = Figure(figsize=(9.0, 2.0), dpi=100, layout='constrained')
    axes = figure.subplots()
    begin = min(events[0].start for events in case.events)
    for rank, events in enumerate(case.events):
        for kind, colour in COLOURS.items():
            spans = [(each.start - begin, each.end - each.start) for each in events if each.kind == kind]
            axes.broken_barh(spans, (rank - 0.4, 0.8), facecolor=colour, edgecolor='white', linewidth=0.4)
    axes.set_yticks([0, 1], ['process 0, last modules', 'process 1, first modules'])
    axes.set_xlabel('seconds')
    axes.legend([Patch(color=colour) for colour in COLOURS.values()], COLOURS, loc='upper right', fontsize=8)
    axes.set_title(case.name, fontsize=10)
    write_figure(path, figure)


if __name__ == '__main__':
    written = run_processes(follow, 'timeline.json', __doc__)
    draw(read_timelines(written).cases[0], written.with_suffix('.png'))
