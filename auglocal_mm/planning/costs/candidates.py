"""What a config can be planned with: the costs of its network and of every candidate head, in FLOPs or in time."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.hardware import keep_freed_memory, seconds_now
from auglocal_mm.local.module import fewest_images, images_read
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


def candidate_costs(config: Config, depths: Sequence[int], amp: bool, kinds: Sequence[str]) -> list[NetworkCosts]:
    """The costs of the network of a config, in FLOPs, with heads of each kind.

    Args:
        config: Of a classifier, with ``model.image_size``. A head that reads a share of its batches reads whole images.
        depths: The depths d of AugLocal's heads.
        amp: Whether forward runs in bfloat16 autocast.
        kinds: Some of :data:`HEADS`.

    Raises:
        InputError: The config has heads that cannot be planned, or trains its modules in turn; or its network has too few
            local layers for AugLocal's heads.
    """
    refuse_turns(config)
    model, size, kept = _without_heads(config), config.model.image_size, kept_settings(config.model)
    batch_size = config.train_dataloader.batch_size
    read = images_read(kept.get('batch_share', 1.0), batch_size) / batch_size
    costs = measure_network(model, size, depths, amp, {**kept, 'batch_share': read})
    if AUGLOCAL in kinds and not costs.heads:
        raise InputError(
            f'--min-depth is {min(depths)}, expected at most {len(costs.layers)}, the number of local layers; give a smaller one'
        )
    return [costs if kind == AUGLOCAL else with_heads(costs, model, size, {'type': kind}, amp) for kind in kinds]


def time_costs(
    config: Config,
    kinds: Sequence[NetworkCosts],
    batch_size: int,
    amp: bool,
    device: str | None = None,
    rounds: int = ROUNDS,
) -> list[NetworkCosts]:
    """``kinds`` with nanoseconds for one image in place of FLOPs.

    Args:
        config: Of the same network.
        kinds: As returned by :func:`candidate_costs`. All get the same times of the network.
        batch_size: Images in an iteration. As many more are measured as every head needs to read two: a BatchNorm on vectors
            refuses a single image.
        amp: Whether forward runs in bfloat16 autocast.
        device: Where to measure, by default on the GPU if there is one.
        rounds: How often every layer is timed, after one round that warms up.
    """
    keep_freed_memory()  # as training on a CPU does
    timer = PassTimer(torch.device(device or _default_device()), amp, rounds)
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
    """:func:`time_costs` of each kind, with the time of the optimizer.

    Args:
        config: Of the same network.
        kinds: As returned by :func:`candidate_costs`.
        batch_size: Images in an iteration.
        states: Optimizer states per parameter.
        amp: Whether forward runs in bfloat16 autocast.
        device: Where to measure, by default on the GPU if there is one.
    """
    seconds = update_seconds(states, device)
    timed = time_costs(config, kinds, batch_size, amp, device)
    return [with_updates(costs, seconds, batch_size) for costs in timed]


def update_seconds(states: int, device: str | None = None) -> float:
    """Seconds of the optimizer for one parameter, measured here.

    Args:
        states: Optimizer states per parameter.
        device: Where to measure, by default on the GPU if there is one.
    """
    where = torch.device(device or _default_device())
    weight = nn.Parameter(torch.zeros(2**22, device=where))
    weight.grad = torch.zeros_like(weight)
    momentum = 0.9 if states else 0.0
    optimizer = torch.optim.SGD([weight], 0.1, momentum) if states < 2 else torch.optim.AdamW([weight])
    seconds = []
    for _ in range(4):
        start = seconds_now(where)
        optimizer.step()
        seconds.append(seconds_now(where) - start)
    return min(seconds) / weight.numel()


def _default_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def _without_heads(config: Config) -> ImageClassifier:
    chain = (config.model.get('partition') or {}).get('chain')
    changes = {'auxiliary_heads': None, 'partition': {'chain': chain} if chain else None}
    return MODELS.build({**config.model, **changes})
