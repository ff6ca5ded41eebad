"""The seconds of one training iteration of a classifier that has the device to itself."""

import gc
import time
from statistics import median

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from auglocal_mm.benchmark.iteration import random_batch, training_step
from auglocal_mm.registry import MODELS


def iteration_seconds(config: Config, device: str, warm_up: int, iterations: int) -> float:
    """The median over iterations on one random batch, from images in memory to updated weights.

    Args:
        config: Config of the training; ``env_cfg.cudnn_benchmark`` is applied.
        device: ``'cuda'`` or ``'cpu'``.
        warm_up: Number of iterations before the timed ones.
        iterations: Number of timed iterations.
    """
    init_default_scope('auglocal_mm')
    torch.backends.cudnn.benchmark = config.env_cfg.cudnn_benchmark
    model = MODELS.build(config.model)
    model.init_weights()
    model.to(device).train()
    step = training_step(config, model, build_optim_wrapper(model, config.optim_wrapper))
    batch = random_batch(config.model.head.num_classes, config.train_dataloader.batch_size, config.model.image_size)
    times = []
    for _ in range(warm_up + iterations):
        start = time.perf_counter()
        step(batch)
        if device == 'cuda':
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return median(times[warm_up:])


def release_memory() -> None:
    """Gives the GPU memory of the measured models back, for other processes."""
    gc.collect()
    torch.cuda.empty_cache()
