"""What a config can be planned with: the costs of its network and of every candidate head, in FLOPs or in time."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from auglocal_mm.hardware import seconds_now
from auglocal_mm.local.module import fewest_images
from auglocal_mm.models import ImageClassifier
from auglocal_mm.planning.costs.layer_seconds import PassTimer, measure_seconds
from auglocal_mm.planning.costs.network_cost import NetworkCosts, measure_network
from auglocal_mm.planning.costs.other_heads import with_heads
from auglocal_mm.planning.costs.timed_costs import timed_costs, with_updates
from auglocal_mm.planning.plan import AUGLOCAL
from auglocal_mm.planning.training_config import kept_settings, refuse_turns
from auglocal_mm.registry import MODELS

HEADS = (AUGLOCAL, 'DGLHead', 'InfoProHead', 'PredSimHead')
"""Kinds of heads that can be planned. Those that are not AugLocal's have no depth."""

ROUNDS = 5
"""How often every layer is timed, after one round that warms up."""
NEW_MEMORY = 2**26
"""Bytes that no allocator keeps when they are freed; glibc keeps at most half as many."""


def candidate_costs(config: Config, depths: Sequence[int], amp: bool, kinds: Sequence[str]) -> list[NetworkCosts]:
    """The costs of the network of a config, in FLOPs, with heads of each kind.

    Args:
        config: Of a classifier, with ``model.image_size``.
        depths: The depths d of AugLocal's heads.
        amp: Whether forward runs in bfloat16 autocast.
        kinds: Some of :data:`HEADS`.

    Raises:
        InputError: The config has heads that cannot be planned, or trains its modules in turn.
    """
    refuse_turns(config)
    model, size = _without_heads(config), config.model.image_size
    costs = measure_network(model, size, depths, amp, kept_settings(config.model))
    return [costs if kind == AUGLOCAL else with_heads(costs, model, size, {'type': kind}, amp) for kind in kinds]


def time_costs(
    config: Config, kinds: Sequence[NetworkCosts], batch_size: int, amp: bool, device: str | None = None
) -> list[NetworkCosts]:
    """``kinds`` with nanoseconds for one image in place of FLOPs.

    Args:
        config: Of the same network.
        kinds: As returned by :func:`candidate_costs`. All get the same times of the network.
        batch_size: Images in an iteration. As many more are measured as every head needs to read two: a BatchNorm on vectors
            refuses a single image.
        amp: Whether forward runs in bfloat16 autocast.
        device: Where to measure, by default on the GPU if there is one.
    """
    timer = PassTimer(torch.device(device or _default_device()), amp, ROUNDS)
    model, size, timed = _without_heads(config), config.model.image_size, []
    kept = kept_settings(config.model)
    shares = [kept.get('batch_share', 1.0) for costs in kinds if costs.kind == AUGLOCAL and costs.heads]
    images = max(batch_size, fewest_images(shares))
    for costs in kinds:
        names: dict[int, str] = {depth: str(depth) for _, depth in costs.heads}
        heads: dict[str, dict[str, Any]] = {name: {'type': costs.kind} for name in names.values()}
        if costs.kind == AUGLOCAL:
            heads = {str(depth): {'type': AUGLOCAL, 'depth': depth, **kept} for depth in names}
        seconds = measure_seconds(model, size, images, heads, timer=timer, norms=True)
        timed.append(timed_costs(costs, seconds, names))
    return timed


def timed_candidates(
    config: Config, kinds: Sequence[NetworkCosts], batch_size: int, states: int, amp: bool, device: str | None = None
) -> list[NetworkCosts]:
    """:func:`time_costs` of each kind, with the time of updates.

    Args:
        config: Of the same network.
        kinds: As returned by :func:`candidate_costs`.
        batch_size: Images in an iteration.
        states: Optimizer states per parameter.
        amp: Whether forward runs in bfloat16 autocast.
        device: Where to measure, by default on the GPU if there is one.
    """
    seconds = update_seconds(states, device, amp)
    timed = time_costs(config, kinds, batch_size, amp, device)
    return [with_updates(costs, seconds, batch_size) for costs in timed]


def update_seconds(states: int, device: str | None = None, amp: bool = False) -> float:
    """Seconds for one parameter in an iteration, measured here: of the optimizer, and of the new memory of its gradient.

    Gradients, and autocast's copies of weights, are freed in every iteration. A CPU's allocator gives that much memory back to
    the operating system, which takes longer to provide it anew than the layers to write it.

    Args:
        states: Optimizer states per parameter.
        device: Where to measure, by default on the GPU if there is one.
        amp: Whether forward runs in bfloat16 autocast.
    """
    where = torch.device(device or _default_device())
    weight = nn.Parameter(torch.zeros(2**22, device=where))
    weight.grad = torch.zeros_like(weight)
    momentum = 0.9 if states else 0.0
    optimizer = torch.optim.SGD([weight], 0.1, momentum) if states < 2 else torch.optim.AdamW([weight])
    freed = weight.itemsize + (torch.bfloat16.itemsize if amp else 0)
    step = min(_seconds(optimizer.step, where) for _ in range(4)) / weight.numel()
    return step + freed * _new_memory_seconds(where)


def _new_memory_seconds(device: torch.device) -> float:
    """Seconds that a byte takes longer to write for the first time; about none on a GPU, whose memory PyTorch keeps."""
    first, again = [], []
    for _ in range(4):
        memory = torch.empty(NEW_MEMORY, dtype=torch.uint8, device=device)
        first.append(_seconds(memory.zero_, device))
        again.append(_seconds(memory.zero_, device))
        del memory  # so that the next is new
    return max(0.0, min(first) - min(again)) / NEW_MEMORY


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    start = seconds_now(device)
    run()
    return seconds_now(device) - start


def _default_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def _without_heads(config: Config) -> ImageClassifier:
    chain = (config.model.get('partition') or {}).get('chain')
    changes = {'auxiliary_heads': None, 'partition': {'chain': chain} if chain else None}
    return MODELS.build({**config.model, **changes})
