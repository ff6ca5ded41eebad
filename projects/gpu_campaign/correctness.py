"""Stage 1: is the method exact on this device, are losses those of a CPU, and do the tools work here?"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from campaign import Campaign, Rows
from commands import run_commands
from detection import boxes_and_pooling, detector_losses
from mmengine.config import Config
from networks import IMAGENET, build, images, read
from torch import Tensor

from auglocal_mm.benchmark.iteration import StepBuilder, released_step, training_step
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.models import ImageClassifier

os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # what deterministic cuBLAS asks for

ITERATIONS = 4
HEADS: dict[str, dict[str, Any] | None] = {
    'BP': None,
    'AugLocal d=2': dict(type='AugLocalHead', depth=2),
    'DGL': dict(type='DGLHead'),
    'PredSim': dict(type='PredSimHead'),
    'InfoPro': dict(type='InfoProHead'),
    'MAN': dict(type='MANHead', head=dict(type='AugLocalHead', depth=2)),
}
SAME_AS_CPU = 1e-4
"""Largest relative difference of float32 losses from those of a CPU, over the iterations."""
SLOW = 1e-5
"""The learning rate of that comparison: at 1e-3, one thread of a CPU differs from two by 0.6 % in the fourth iteration of BP."""
SAME_AS_FLOAT32 = 0.05
"""The same for losses in 16 bits from those in float32."""


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each check: whether it passed, what was measured, and its bar."""
    checks: dict[str, Callable[[Campaign], dict[str, Any]]] = {
        'isolation': isolation,
        'update immediately or at the end': immediate_update,
        'one local module and BP': one_module,
        'checkpointed or not': checkpointed,
        **({'replayed as a CUDA graph': replayed} if campaign.device == 'cuda' else {}),
        **{f'losses of a CPU: {name}': partial(losses_of_a_cpu, heads=heads) for name, heads in HEADS.items()},
        **{f'losses in {dtype}': partial(low_precision, dtype=dtype) for dtype in ('bfloat16', 'float16')},
        'channels-last or contiguous': channels_last,
        'NMS and RoIAlign of a CPU': boxes_and_pooling,
        'losses of Mask R-CNN': detector_losses,
    }
    for name, check in checks.items():
        if name not in rows and campaign.seconds_left > 0:
            try:
                rows.add(name, check(campaign))
            except Exception as error:  # a check that fails must not hide the others
                rows.add(name, {'passed': False, 'error': f'{type(error).__name__}: {error}'[:2000]})
    if 'tools/train.py' not in rows and campaign.seconds_left > 0:
        for name, row in run_commands(campaign).items():
            rows.add(name, row)


def small(campaign: Campaign, heads: Mapping[str, Any] | None, **settings: Any) -> Config:
    """A ResNet-34 for small images, one module for each layer; in a miniature, a narrow ResNet-18."""
    backbone = {'model__backbone__depth': 18, 'model__backbone__base_channels': 8}
    size = {'model__image_size': 32, **backbone} if campaign.miniature else {'model__image_size': 64}
    chosen = {'model__head__num_classes': 10, 'model__checkpointed': (), **size, **settings}
    config = read(IMAGENET, **{'optim_wrapper__optimizer__lr': 2**-7, **chosen})
    config.model.auxiliary_heads = dict(heads) if heads else None
    return config


def trained(
    campaign: Campaign,
    config: Config,
    device: str | None = None,
    build_step: StepBuilder = training_step,
    sizes: Sequence[int] = (32,) * ITERATIONS,
) -> tuple[dict[str, Tensor], list[float]]:
    """Weights after some iterations on random images, and the sum of all losses in each.

    Args:
        campaign: Its size.
        config: Of the training.
        device: By default that of the campaign.
        build_step: Makes its training step.
        sizes: Number of images in each iteration.
    """
    device = device or campaign.device
    model, optim_wrapper = build(config, device)
    step, losses = build_step(config, model, optim_wrapper), []
    for iteration, size in enumerate(sizes):
        losses.append(total(step(images(config, 8 if campaign.miniature else size, device, iteration))))
    return dict(model.state_dict()), losses


def total(result: Any) -> float:
    """The sum of all losses that a training step returns."""
    if isinstance(result, Tensor):
        return float(result.detach())
    return sum(float(each['loss'].detach()) for each in (result if isinstance(result, list) else [result]))


@contextmanager
def exact(warn_only: bool = False) -> Iterator[None]:
    """Deterministic algorithms, or with ``warn_only`` where there are some, in plain float32."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=warn_only)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        cudnn.allow_tf32, matmul.allow_tf32 = before


def differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Any]:
    """How many weights and statistics of the same name differ in at least one bit."""
    names = [name for name in one if name in other]
    return {
        'compared': sum(one[name].numel() for name in names),
        'different': sum(int((one[name] != other[name]).sum()) for name in names),
    }


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, Any]:
    """A row that passes if no value differs."""
    found = differences(one, other)
    return {'passed': found['compared'] > 0 and not found['different'], **found}


def close(one: list[float], other: list[float], bar: float) -> dict[str, Any]:
    """A row that passes if the relative difference of losses is at most ``bar``."""
    largest = max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))
    return {'passed': largest <= bar, 'largest relative difference': largest, 'bar': bar, 'losses': one}


def isolation(campaign: Campaign) -> dict[str, Any]:
    """Gradients of the local step are those of each local loss alone."""
    config = small(campaign, HEADS['AugLocal d=2'])
    model: ImageClassifier
    model, _ = build(config, campaign.device)
    data = model.data_preprocessor(images(config, 8, campaign.device), True)
    with exact():
        errors = isolation_errors(model.local_modules(), data['inputs'], data['data_samples'])
    return {'passed': max(errors) == 0, 'modules': len(errors), 'largest relative difference': max(errors)}


def immediate_update(campaign: Campaign) -> dict[str, Any]:
    """Updating each module at once gives the weights of updating all at the end."""
    config = small(campaign, HEADS['AugLocal d=2'])
    at_the_end = read_like(config, optim_wrapper__constructor='DefaultOptimWrapperConstructor')
    with exact():
        return same(trained(campaign, config)[0], trained(campaign, at_the_end, build_step=released_step)[0])


def one_module(campaign: Campaign) -> dict[str, Any]:
    """One local module is backpropagation."""
    local = small(campaign, HEADS['AugLocal d=2'], model__partition=dict(num_local_modules=1))
    with exact():
        return same(trained(campaign, local)[0], trained(campaign, small(campaign, None))[0])


def checkpointed(campaign: Campaign) -> dict[str, Any]:
    """Recomputed activations change nothing."""
    heads = dict(type='AugLocalHead', depth=2)
    recomputed = small(campaign, {**heads, 'checkpointed': 'all'}, model__checkpointed='all')
    with exact():
        return same(trained(campaign, recomputed)[0], trained(campaign, small(campaign, heads))[0])


def replayed(campaign: Campaign) -> dict[str, Any]:
    """A replayed iteration gives the weights of the sequential executor, with smaller batches in between."""
    config = small(campaign, HEADS['AugLocal d=2'])
    graphs = read_like(config, custom_hooks=[dict(type='AugLocalHook', executor=dict(type='CUDAGraphExecutor'))])
    sizes = [32] * 6 + [20] + [32] * 3
    with exact():
        return same(trained(campaign, graphs, sizes=sizes)[0], trained(campaign, config, sizes=sizes)[0])


def losses_of_a_cpu(campaign: Campaign, heads: Mapping[str, Any] | None) -> dict[str, Any]:
    """Float32 losses are those of a CPU up to rounding."""
    config = small(campaign, heads, optim_wrapper__optimizer__lr=SLOW)
    with exact(warn_only=True):
        return close(trained(campaign, config)[1], trained(campaign, config, 'cpu')[1], SAME_AS_CPU)


def low_precision(campaign: Campaign, dtype: str) -> dict[str, Any]:
    """Losses in 16 bits are near those in float32."""
    config = small(campaign, HEADS['AugLocal d=2'])
    mixed = read_like(config, optim_wrapper__type='AmpOptimWrapper', optim_wrapper__dtype=dtype)
    return close(trained(campaign, mixed)[1], trained(campaign, config)[1], SAME_AS_FLOAT32)


def channels_last(campaign: Campaign) -> dict[str, Any]:
    """Losses do not depend on the memory layout, up to rounding."""
    config = small(campaign, HEADS['AugLocal d=2'])
    contiguous = read_like(config, model__channels_last=False)
    with exact():
        return close(trained(campaign, config)[1], trained(campaign, contiguous)[1], SAME_AS_CPU)


def read_like(config: Config, **settings: Any) -> Config:
    """A copy of ``config`` with other settings, named as in :func:`networks.read`."""
    changed = Config(config.to_dict())
    changed.merge_from_dict({key.replace('__', '.'): value for key, value in settings.items()})
    return changed
