"""Schedules that a training does not finish, as where ``train_cfg.max_epochs`` alone was lowered."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log


def warn_of_late_schedules(config: Config) -> None:
    """Logs a warning for each entry of ``param_scheduler`` that ends after the training, if both count epochs or iterations."""
    loop, given = config.get('train_cfg') or {}, config.get('param_scheduler') or []
    by_epoch = 'max_iters' not in loop
    unit, last = ('epoch', loop.get('max_epochs')) if by_epoch else ('iteration', loop['max_iters'])
    for scheduler in [given] if isinstance(given, Mapping) else given:
        end = _end(scheduler)
        if last and end > last and scheduler.get('by_epoch', True) == by_epoch:
            print_log(
                f'{scheduler.get("type")} in param_scheduler lasts until {unit} {end}, but training ends after {unit} {last}: '
                'the schedule is cut off; shorten it too, unless that is intended',
                logger='current',
                level=logging.WARNING,
            )


def _end(scheduler: Mapping[str, Any]) -> int:
    """The last epoch or iteration that a schedule changes; 0 if it has no end, as then MMEngine ends it with the training."""
    if 'milestones' in scheduler:
        return max(scheduler['milestones'], default=-1) + 1  # a milestone counts what has passed
    if scheduler.get('T_max'):
        return scheduler.get('begin', 0) + scheduler['T_max']
    return scheduler.get('end', 0)
