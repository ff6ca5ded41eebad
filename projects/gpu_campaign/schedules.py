"""How many epochs fit into the time that there is, and the settings that follow from their number."""

from collections.abc import Mapping, Sequence
from typing import Any

from campaign import Campaign, Rows
from iteration_seconds import iteration_seconds, release_memory
from trainings import Training

SIDE_BY_SIDE = 1.0
"""How much faster trainings are at the same time than one after the other: eight on an H200 took turns."""
WARM_UP, TIMED = 5, 10
"""Iterations of the measurement."""
LEAST = 2
"""Epochs, even if they do not fit."""


def choose_epochs(seconds: float, epoch_seconds: Sequence[float], most: int) -> int:
    """The number of epochs of every training.

    Args:
        seconds: Available for all trainings together.
        epoch_seconds: Seconds of one epoch of each training when it runs alone.
        most: Largest number.
    """
    return min(most, max(LEAST, int(SIDE_BY_SIDE * seconds / sum(epoch_seconds))))


def planned_epochs(trainings: Sequence[Training], images: int, most: int, campaign: Campaign, rows: Rows) -> int:
    """The number of epochs for trainings on so many images; from their measured speed, once for all starts of the stage.

    The measurement is noted in ``rows``. Trainings of the same scheme are measured once.
    """
    if 'schedule' not in rows.data:
        by_scheme = {training.scheme: training for training in reversed(trainings)}
        configs = {scheme: training.read_config() for scheme, training in reversed(by_scheme.items())}
        numbers = (0, 1) if campaign.miniature else (WARM_UP, TIMED)
        seconds = {scheme: iteration_seconds(config, campaign.device, *numbers) for scheme, config in configs.items()}
        release_memory()
        iterations = {scheme: images / config.train_dataloader.batch_size for scheme, config in configs.items()}
        epoch_seconds = [seconds[each.scheme] * iterations[each.scheme] for each in trainings]
        left = campaign.seconds_left
        epochs = choose_epochs(left, epoch_seconds, most)
        rows.note(schedule=_record(epochs, left, epoch_seconds, seconds))
    return rows.data['schedule']['epochs']


def _record(epochs: int, left: float, epoch_seconds: Sequence[float], seconds: Mapping[str, float]) -> dict[str, Any]:
    return {
        'epochs': epochs,
        'seconds available': left,
        'expected gain of running side by side': SIDE_BY_SIDE,
        'seconds one after the other': epochs * sum(epoch_seconds),
        'trainings': len(epoch_seconds),
        'seconds of an iteration, alone': dict(seconds),
    }


def schedule(epochs: int) -> dict[str, Any]:
    """Options: a linear warm-up of a twentieth of the epochs, a cosine decay to zero, and one checkpoint."""
    warm_up = max(1, round(0.05 * epochs))
    return {
        'train_cfg.max_epochs': epochs,
        'param_scheduler': [
            dict(type='LinearLR', start_factor=0.0125, end=warm_up, by_epoch=True, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True, convert_to_iter_based=True),
        ],
        **one_checkpoint(epochs),
    }


def replayed() -> dict[str, Any]:
    """Options: iterations are replayed as CUDA graphs, which the kernels of small images need."""
    return {'custom_hooks': [dict(type='AugLocalHook', executor=dict(type='CUDAGraphExecutor'))]}


def one_checkpoint(epochs: int) -> dict[str, Any]:
    """Options: a single checkpoint, after the middle of the training; each takes seconds to write."""
    return {
        'default_hooks.checkpoint.interval': epochs // 2 + 1,
        'default_hooks.checkpoint.save_last': False,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
    }
