"""Schedules that do not fit the training, as where ``train_cfg`` alone was changed."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log


def warn_of_schedules(config: Config, epoch_length: int | None = None) -> None:
    """Logs a warning for each entry of ``param_scheduler`` that is cut off, turns back, or never changes anything.

    Args:
        config: Config of the training.
        epoch_length: Iterations of this process in an epoch; without it, schedules that count iterations are not compared with
            epochs.
    """
    given = config.get('param_scheduler') or []
    for scheduler in [given] if isinstance(given, Mapping) else given:
        problem = _problem(scheduler, config.get('train_cfg') or {}, epoch_length)
        if problem:
            message = f'{scheduler.get("type")} in param_scheduler {problem}'
            print_log(message, logger='current', level=logging.WARNING)


def _problem(scheduler: Mapping[str, Any], loop: Mapping[str, Any], epoch_length: int | None) -> str:
    """What is wrong with a schedule, to follow its name; nothing if it fits, or if that is unknown."""
    by_epoch = scheduler.get('by_epoch', True)
    if by_epoch and 'max_iters' in loop:
        advances = scheduler.get('convert_to_iter_based') or 'Plateau' in str(scheduler.get('type'))
        return (
            '' if advances else 'counts epochs, but training counts iterations: it changes nothing; set by_epoch=False'
        )
    unit, last = ('epoch', loop.get('max_epochs')) if by_epoch else ('iteration', loop.get('max_iters'))
    last = last or (loop.get('max_epochs') or 0) * (epoch_length or 0)
    end, turn = _end(scheduler), scheduler.get('begin', 0) + (scheduler.get('T_max') or 0)
    if last and end > last:
        return (
            f'lasts until {unit} {end}, but training ends after {unit} {last}: the schedule is cut off; shorten it too, unless '
            'that is intended'
        )
    if scheduler.get('T_max') and turn + 1 < min(last, scheduler.get('end') or last):
        return (
            f'turns back after {unit} {turn}, but training ends after {unit} {last}; remove T_max, or set end={turn + 1} to '
            'keep its last value, unless that is intended'
        )
    return ''


def _end(scheduler: Mapping[str, Any]) -> int:
    """The last epoch or iteration that a schedule changes; 0 if it has no end, as then MMEngine ends it with the training."""
    if 'milestones' in scheduler:
        return max(scheduler['milestones'], default=-1) + 1  # a milestone counts what has passed
    if scheduler.get('T_max'):
        return scheduler.get('begin', 0) + scheduler['T_max']
    return scheduler.get('end', 0)
