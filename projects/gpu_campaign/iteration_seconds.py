"""The seconds of one training iteration of a classifier that has the device to itself."""

import gc
import time
from statistics import median

import torch
from mmengine.config import Config
from networks import build, images

from auglocal_mm.benchmark.iteration import training_step


def iteration_seconds(config: Config, device: str, warm_up: int, iterations: int) -> float:
    """The median over iterations on one random batch, from images on the device to updated weights.

    Args:
        config: Config of the training; ``env_cfg.cudnn_benchmark`` is applied.
        device: ``'cuda'`` or ``'cpu'``.
        warm_up: Number of iterations before the timed ones.
        iterations: Number of timed iterations.
    """
    torch.backends.cudnn.benchmark = config.env_cfg.cudnn_benchmark
    step = training_step(config, *build(config, device))
    batch = images(config, config.train_dataloader.batch_size, device)
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
