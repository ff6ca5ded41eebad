"""Times layer-parallel training with two processes against one process, and against data-parallel BP with both.

Everything is measured in rounds by the same two processes, one thread each. Ratios are those of the same round::

    OMP_NUM_THREADS=1 python projects/layer_parallel/speed.py --out projects/layer_parallel/results
"""

import argparse
import copy
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from pydantic import BaseModel
from torch import distributed, multiprocessing
from torch.utils._pytree import tree_leaves

import auglocal_mm  # noqa: F401
from auglocal_mm.benchmark.iteration import random_batch
from auglocal_mm.files.atomic import write_text
from auglocal_mm.files.json_file import Positive, read_json
from auglocal_mm.launch.process_group import end_with_parent
from auglocal_mm.registry import MODELS
from auglocal_mm.runtime import build_executor
from auglocal_mm.runtime.grid import arrange_processes, current_grid
from auglocal_mm.runtime.optimizers import LocalOptimWrapper, each_wrapper
from auglocal_mm.runtime.ownership import Ownership
from auglocal_mm.runtime.split import balanced_split, stages_of_splits

CONFIG = Path(__file__).parents[2] / 'configs/auglocal/resnet34_auglocal-d5_1xb256-200e_in1k.py'
BATCH, SIDE = 16, 96
FILL, ITERATIONS = 2, 4
"""Iterations that are not timed, until all stages work, and those that are."""


HALF, FULL = 'data-parallel BP, half the batch each', 'data-parallel BP, a batch each'


class Speed(BaseModel):
    """The seconds of an iteration by method and round, and what they are compared with.

    Attributes:
        name: Of the case.
        seconds: By method, for each round.
        balance: The most that the split allows over one process, for each round.
        state: Bytes of weights, statistics and optimizer states, of one process and of each of two.
    """

    name: str
    seconds: dict[str, list[Positive]]
    balance: list[Positive]
    state: dict[str, Any]


class Speeds(BaseModel):
    """All cases."""

    cases: list[Speed]


def read_speeds() -> Speeds:
    """The content of ``results/speed.json``."""
    return read_json(Path(__file__).parent / 'results/speed.json', Speeds, 'restore it, or run speed.py')


@dataclass(frozen=True)
class Case:
    """A network with its local modules; ``split_points`` replaces the even partition into ``num_local_modules``.

    The local modules are split such that the slower process is as fast as possible, unless the second one begins at ``begin``.
    """

    name: str
    depth: int
    heads: dict[str, Any]
    num_local_modules: int | None = None
    split_points: Sequence[str] | None = None
    begin: int | None = None


CASES = (
    Case('ResNet-34, d = 5, layer by layer', 34, dict(type='AugLocalHead', depth=5)),
    Case('ResNet-34, d = 5, layer by layer, 10 + 7 modules', 34, dict(type='AugLocalHead', depth=5), begin=10),
    Case('ResNet-34, K = 4, d = 2', 34, dict(type='AugLocalHead', depth=2), 4),
    Case('ResNet-50, K = 4, DGL heads', 50, dict(type='DGLHead'), 4),
    Case('ResNet-50, K = 2, d = 2', 50, dict(type='AugLocalHead', depth=2), 2),
    Case('ResNet-50, K = 2, planned', 50, dict(type='DGLHead'), None, ('layer2.3',)),
)


def config_of(case: Case, local: bool) -> Config:
    """The config of the case, by local learning or BP."""
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({'model.backbone.depth': case.depth, 'model.image_size': SIDE, 'model.checkpointed': []})
    config.model.auxiliary_heads = dict(case.heads) if local else None
    partition = {'num_local_modules': case.num_local_modules, 'split_points': case.split_points}
    config.model.partition = {key: value for key, value in partition.items() if value} if local else None
    return config


class Training:
    """A model on random images, trained by ``step``."""

    def __init__(self, case: Case, local: bool) -> None:
        torch.manual_seed(0)
        self.config = config_of(case, local)
        self.model = MODELS.build(copy.deepcopy(self.config.model))
        self.model.init_weights()
        self.model.train()
        self.optim_wrapper = build_optim_wrapper(self.model, self.config.optim_wrapper)
        self.batch = random_batch(self.config.model.head.num_classes, BATCH, SIDE)

    def inputs(self) -> tuple[Any, Any]:
        data = self.model.data_preprocessor(self.batch, True)
        return data['inputs'], data['data_samples']

    def state_bytes(self) -> int:
        """Weights, statistics and optimizer states of this process."""
        states = tree_leaves([dict(each.optimizer.state) for each in each_wrapper(self.optim_wrapper)])
        tensors = [*self.model.parameters(), *self.model.buffers(), *filter(torch.is_tensor, states)]
        return sum(tensor.nbytes for tensor in tensors)


class Sequential(Training):
    """One process trains all local modules."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, local=True)
        self.executor = build_executor(self.model, self.optim_wrapper, self.config)
        self.moments: list[float] = []
        update = self.optim_wrapper.update_module

        def noted(index: int, loss: torch.Tensor) -> None:
            update(index, loss)
            self.moments.append(time.perf_counter())

        self.optim_wrapper.update_module = noted

    def step(self) -> None:
        self.moments = [time.perf_counter()]
        self.executor.step(*self.inputs())

    def module_seconds(self) -> list[float]:
        """Of the last iteration."""
        return [after - before for before, after in pairwise(self.moments)]


class LayerParallel(Training):
    """This process trains the local modules of one stage."""

    def __init__(self, case: Case, stages: Sequence[int]) -> None:
        super().__init__(case, local=True)
        grid = current_grid()
        assert grid is not None
        assert isinstance(self.optim_wrapper, LocalOptimWrapper)
        settings = {'type': 'LayerParallelExecutor', 'stages': stages, 'batch_size': BATCH}
        self.executor = build_executor(self.model, self.optim_wrapper, self.config, settings)
        Ownership(self.model, self.model.local_modules(), stages, grid).release(self.model)
        self.is_first_stage = grid.stage == 0

    def step(self) -> None:
        self.executor.step(*(self.inputs() if self.is_first_stage else (None, None)))

    def expect(self, iterations: int) -> None:
        self.executor.expect(iterations)


class Backpropagation(Training):
    """One process trains the whole network, or each process with its own images, of which all have ``BATCH`` or each."""

    def __init__(self, case: Case, parallel: bool = False, images: int = BATCH) -> None:
        super().__init__(case, local=False)
        self.batch = {key: value[:images] for key, value in self.batch.items()}
        self.network = MMDistributedDataParallel(self.model, broadcast_buffers=False) if parallel else self.model

    def step(self) -> None:
        self.network.train_step(self.batch, self.optim_wrapper)


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
    methods: dict[str, tuple[bool, Any, int]] = {
        'sequential': (False, alone, 0),
        'BP': (False, Backpropagation(case), 0),
        'layer-parallel': (True, together, FILL),
        HALF: (True, Backpropagation(case, True, BATCH // 2), 0),
        FULL: (True, Backpropagation(case, True), 0),
    }
    measured: dict[str, list[float]] = {name: [] for name in methods}
    bounds = []
    for number in range(rounds + 1):  # the first one warms up
        for name, (both, method, fill) in methods.items():
            distributed.barrier()
            if not both and rank > 0:
                continue
            timed = (ITERATIONS if both else ITERATIONS // 2) if number else 1
            if method is together:
                together.expect(fill + timed)
            seconds = seconds_of(method.step, fill, timed)
            if number:
                measured[name].append(seconds)
            if number and method is alone:
                bounds.append(balance(alone.module_seconds(), stages))
    states: list[Any] = [None, None]
    distributed.all_gather_object(states, together.state_bytes())
    return {
        **asdict(case),
        'stages': stages,
        'seconds': measured,
        'balance': bounds,
        'state': {'sequential': alone.state_bytes(), 'processes': states},
    }


def balance(seconds: Sequence[float], stages: Sequence[int]) -> float:
    """How much faster than one process the slowest stage is, without communication."""
    totals = [sum(time for time, stage in zip(seconds, stages, strict=True) if stage == each) for each in (0, 1)]
    return sum(totals) / max(totals)


def work(rank: int, port: int, action: Callable[[Case, int, int], Any], options: argparse.Namespace) -> None:
    """One of the two processes. The first one writes what ``action`` returns for each case."""
    os.environ |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), 'RANK': str(rank), 'WORLD_SIZE': '2'}
    end_with_parent()
    torch.set_num_threads(1)
    init_default_scope('auglocal_mm')
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # it would list the initialisation of every weight
    distributed.init_process_group('gloo')
    arrange_processes(2)
    rows = []
    for case in CASES:
        if options.only in case.name:
            rows.append(action(case, rank, options.rounds))
            if rank == 0:
                print(f'measured {case.name}', flush=True)
    if rank == 0:
        setting = {
            'batch': BATCH,
            'side': SIDE,
            'torch': torch.__version__,
            'cpu': torch.backends.cpu.get_cpu_capability(),
        }
        write_text(options.out, json.dumps({**setting, 'cases': rows}, indent=1) + '\n')
    distributed.destroy_process_group()


def run_processes(action: Callable[[Case, int, int], Any], name: str, description: str | None) -> Path:
    """Reads the command line, and has two processes call ``action`` with each case, their rank and the number of rounds.

    Returns:
        The file ``name`` that they wrote.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--rounds', type=int, default=3, help='each measures every method')
    parser.add_argument('--only', default='', help='part of the names of the cases')
    options = parser.parse_args()
    options.out /= name
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(work, (port, action, options), nprocs=2)
    return options.out


if __name__ == '__main__':
    run_processes(measure, 'speed.json', __doc__)
