"""The memory that local modules take on a device, measured on some images, and the fastest split that fits it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule
from auglocal_mm.local.state import State, Targets
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.planning.sizes import format_size
from auglocal_mm.runtime.link import LIMIT
from auglocal_mm.runtime.split import best_cuts, unchanged


@dataclass(frozen=True)
class ModuleMemory:
    """One local module, in bytes.

    Attributes:
        fixed: Weights, statistics and optimizer states, which stay.
        passing: Activations and gradients, which are gone after its update.
        sent: What the next module is sent in an iteration if another process has it.
    """

    fixed: float
    passing: float
    sent: float


def module_memory(
    modules: Sequence[LocalModule],
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    states: int,
    context: Callable[[], AbstractContextManager[Any]],
) -> list[ModuleMemory]:
    """The memory of each module. Weights, statistics and random numbers stay as they are.

    Args:
        modules: In order.
        images: (N, 3, H, W).
        labels: (N,).
        batch_size: Number of images in an iteration; activations are proportional to it.
        states: Optimizer states per parameter.
        context: The context of forward and loss, such as autocast, whose copies of the weights count.
    """
    found, state, targets = [], State(images), Targets(labels, images)
    with unchanged(modules, images.device):
        for index, module in enumerate(modules):
            with ActivationMeter(weights=module.parameters()) as meter:
                for tensor in state.tensors():
                    meter.follow(tensor)
                with context():
                    output = module(state)
                    loss = module.loss(output, targets)['loss']
                loss.backward()
            state = output.detach()
            weights = sum(parameter.nbytes for parameter in module.parameters())
            statistics = sum(buffer.nbytes for buffer in module.buffers())
            module.zero_grad(set_to_none=True)
            reads_images = any(later.head.reads_images for later in modules[index + 1 :])
            message = [*state.tensors(), labels, *([images] if reads_images else [])]
            scale = batch_size / len(images)
            sent = scale * sum(tensor.nbytes for tensor in message)
            passing = scale * meter.peak + weights + meter.copies
            found.append(ModuleMemory((1 + states) * weights + statistics, passing, sent))
    return found


def split_within(seconds: Sequence[float], memory: Sequence[ModuleMemory], num_stages: int, limit: float) -> list[int]:
    """The stage of each module, such that the slowest stage is as fast as possible and each fits a device.

    Args:
        seconds: Of each module.
        memory: Of each module.
        num_stages: At most the number of modules.
        limit: Bytes of a device.

    Raises:
        InputError: No split fits.
    """
    sums = [0.0, *accumulate(seconds)]

    def needed(first: int, last: int) -> float:
        own = memory[first : last + 1]
        ends = [memory[first - 1]] * (first > 0) + [own[-1]] * (last + 1 < len(memory))
        moving = LIMIT * sum(each.sent for each in ends)
        return sum(each.fixed for each in own) + max(each.passing for each in own) + moving

    cut = best_cuts(
        len(seconds),
        num_stages,
        lambda first, last: sums[last + 1] - sums[first] if needed(first, last) <= limit else float('inf'),
    ).get(num_stages)
    if cut is None:
        least = best_cuts(len(seconds), num_stages, needed)[num_stages]
        raise InputError(
            f'layer_parallel.memory is {format_size(limit)}, into which no split of the {len(seconds)} local modules among '
            f'{num_stages} processes fits; the best needs {format_size(max(needed(*run) for run in least))}. Use more '
            'processes, a smaller train_dataloader.batch_size, or checkpointing (tools/analysis_tools/plan_parallel.py)'
        )
    return [stage for stage, (first, last) in enumerate(cut) for _ in range(first, last + 1)]
