"""Trainings on random images: by one process, by two, or of one stage; by local learning or by BP."""

import copy
import time
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from speed_cases import BATCH, SIDE, Case, config_of
from torch import distributed
from torch.utils._pytree import tree_leaves

from auglocal_mm.benchmark.iteration import random_batch
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import train_modules
from auglocal_mm.registry import MODELS
from auglocal_mm.runtime import build_executor
from auglocal_mm.runtime.grid import current_grid
from auglocal_mm.runtime.optimizers import LocalOptimWrapper, each_wrapper
from auglocal_mm.runtime.ownership import Ownership


class Training:
    """A model on random images, trained by ``step``."""

    def __init__(self, case: Case, local: bool, images: int = BATCH) -> None:
        torch.manual_seed(0)
        self.config = config_of(case, local)
        self.model = MODELS.build(copy.deepcopy(self.config.model))
        self.model.init_weights()
        self.model.train()
        self.optim_wrapper = build_optim_wrapper(self.model, self.config.optim_wrapper)
        self.batch = random_batch(self.config.model.head.num_classes, images, SIDE)

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


class OneStage:
    """Trains the local modules of the stage of this process on features that stay the same, and waits for nobody.

    Args:
        alone: The training of all modules, whose weights and optimizers these are.
        stages: Of each module.
    """

    def __init__(self, alone: Sequential, stages: Sequence[int]) -> None:
        own = [index for index, stage in enumerate(stages) if stage == distributed.get_rank()]
        modules, (images, labels) = alone.model.local_modules(), alone.inputs()
        self.executor, self.optim_wrapper, self.first = alone.executor, alone.optim_wrapper, own[0]
        self.modules, self.targets = [modules[index] for index in own], Targets(labels, images)
        with torch.no_grad():
            self.features = reduce(lambda state, module: module(state), modules[: self.first], State(images))

    def step(self) -> None:
        train_modules(
            self.modules,
            self.features,
            self.targets,
            lambda index, loss: self.optim_wrapper.update_module(self.first + index, loss),
            lambda index: self.executor.context(0, self.first + index),
        )
        self.optim_wrapper.finish_update()


class LayerParallel(Training):
    """This process trains the local modules of one stage."""

    def __init__(self, case: Case, stages: Sequence[int], images: int = BATCH) -> None:
        super().__init__(case, local=True, images=images)
        grid = current_grid()
        assert grid is not None
        assert isinstance(self.optim_wrapper, LocalOptimWrapper)
        settings = {'type': 'LayerParallelExecutor', 'stages': stages, 'batch_size': images}
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
        super().__init__(case, local=False, images=images)
        self.network = MMDistributedDataParallel(self.model, broadcast_buffers=False) if parallel else self.model

    def step(self) -> None:
        self.network.train_step(self.batch, self.optim_wrapper)
