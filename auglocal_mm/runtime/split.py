"""Which stage trains which local modules: the split whose slowest stage is as fast as possible."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.hardware import seconds_now
from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets

ROUNDS = 3
"""How often every module is timed, after one round that warms up."""


def best_cuts(count: int, most: int, cost: Callable[[int, int], float]) -> dict[int, list[tuple[int, int]]]:
    """For each number of stages the contiguous cut whose stage of largest cost is as cheap as possible.

    Exact, by dynamic programming over the number of stages and of elements in them.

    Args:
        count: Number of elements.
        most: Largest number of stages, at most ``count``.
        cost: Of a stage, by the indices of its first and its last element; infinite if there can be no such stage.

    Returns:
        The first and the last element of every stage, by their number; without those of which every cut has a stage of
        infinite cost.
    """
    best = {last: (cost(0, last), [(0, last)]) for last in range(count)}
    found = {1: best[count - 1]}
    for stages in range(2, most + 1):
        longer = {}
        for last in range(stages - 1, count):
            choices = ((max(best[first - 1][0], cost(first, last)), first) for first in range(stages - 1, last + 1))
            slowest, first = min(choices)
            longer[last] = slowest, [*best[first - 1][1], (first, last)]
        best = longer
        found[stages] = best[count - 1]
    return {stages: cut for stages, (slowest, cut) in found.items() if slowest < math.inf}


def balanced_split(costs: Sequence[float], num_stages: int) -> list[int]:
    """The stage of each module, in order, such that the largest sum of costs of a stage is as small as possible.

    Args:
        costs: Of the modules, such as seconds.
        num_stages: At most the number of modules.
    """
    sums = [0.0, *accumulate(costs)]
    cut = best_cuts(len(costs), num_stages, lambda first, last: sums[last + 1] - sums[first])[num_stages]
    return [stage for stage, (first, last) in enumerate(cut) for _ in range(first, last + 1)]


def stages_of_splits(splits: Sequence[int], num_modules: int) -> list[int]:
    """The stage of each module, from the indices of the modules with which stages but the first begin.

    Raises:
        InputError: They are not in order, or out of range.
    """
    edges = [0, *splits, num_modules]
    if any(not isinstance(split, int) for split in splits) or any(a >= b for a, b in pairwise(edges)):
        raise InputError(
            f'layer_parallel.splits is {list(splits)}; expected increasing indices of local modules from 1 to {num_modules - 1}, '
            'each the first one of the next process'
        )
    return [sum(index >= split for split in splits) for index in range(num_modules)]


def check_stages(modules: Sequence[LocalModule], num_stages: int, splits: Sequence[int] | None) -> None:
    """Checks that so many stages can train ``modules``.

    Raises:
        InputError: There are more stages than modules, wrong splits, or a head that reads what another stage has.
    """
    if len(modules) < num_stages:
        raise InputError(
            f'layer_parallel is {num_stages}, but there are {len(modules)} local modules; use at most as many processes, or more '
            'modules (model.partition)'
        )
    ahead = next((module for module in modules if module.head.looks_ahead), None)
    if ahead is not None:
        raise InputError(
            f'the head of {ahead.name} ({type(ahead.head).__name__}) reads the weights of the next local module in every '
            'iteration, which another process may have; train it without layer_parallel'
        )
    if splits is not None:
        stages_of_splits(splits, len(modules))


@contextmanager
def unchanged(modules: Sequence[LocalModule], device: torch.device) -> Iterator[None]:
    """Running statistics and random numbers are afterwards as they were, and there are no gradients."""
    buffers = [buffer for module in modules for buffer in module.buffers()]
    before = [buffer.clone() for buffer in buffers]
    with torch.random.fork_rng(devices=[device] if device.type == 'cuda' else []):
        yield
    for buffer, value in zip(buffers, before, strict=True):
        buffer.copy_(value)
    for module in modules:
        module.zero_grad(set_to_none=True)


def module_seconds(
    modules: Sequence[LocalModule],
    images: Tensor,
    labels: Tensor,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> list[float]:
    """The time of each module's forward and backward pass. Weights, statistics and random numbers stay as they are.

    Args:
        modules: In order.
        images: (N, 3, H, W).
        labels: (N,).
        context: The context of forward and loss, such as autocast.
    """
    with unchanged(modules, images.device):
        seconds = [_round(modules, State(images), Targets(labels, images), context) for _ in range(ROUNDS + 1)]
    return [statistics.median(times) for times in zip(*seconds[1:], strict=True)]


def owners_text(names: Sequence[str], stages: Sequence[int], seconds: Sequence[float] | None) -> str:
    """Which process trains which modules, and what the split can give at best.

    Args:
        names: Of the local modules.
        stages: Of the local modules.
        seconds: Of each module in an iteration, if they were measured.
    """
    num_stages, lines, totals = stages[-1] + 1, ['Layer-parallel training of each replica:'], []
    for stage in range(num_stages):
        own = [index for index, each in enumerate(stages) if each == stage]
        modules = names[own[0]] if len(own) == 1 else f'{names[own[0]]} to {names[own[-1]]} ({len(own)} local modules)'
        totals.append(sum(seconds[index] for index in own) if seconds else 0.0)
        share = f', {totals[-1] / sum(seconds):.0%} of the time' if seconds else ''
        lines.append(f'process {num_stages - 1 - stage}: {modules}{share}')
    if seconds:
        lines.append(f'{num_stages} processes can be at most {sum(totals) / max(totals):.2f} times as fast as one.')
    return '\n'.join(lines)


def _round(
    modules: Sequence[LocalModule],
    state: State,
    targets: Targets,
    context: Callable[[], AbstractContextManager[Any]],
) -> list[float]:
    device, seconds = state.features.device, []
    for module in modules:
        start = seconds_now(device)
        with context():
            state = module(state)
            loss = module.loss(state, targets)['loss']
        loss.backward()
        state = state.detach()
        seconds.append(seconds_now(device) - start)
        module.zero_grad(set_to_none=True)
    return seconds
