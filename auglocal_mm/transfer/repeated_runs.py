"""Runs of a name that depend on each other: a repeated one is refused, and backbones that several start from are counted."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.transfer_result import TransferResult


def refuse_named_twice(work_dirs: Sequence[Path]) -> None:
    """Refuses a folder that is given twice, also under two paths.

    Raises:
        InputError: A folder is given twice.
    """
    seen: set[Path] = set()
    for work_dir in work_dirs:
        if work_dir.resolve() in seen:
            raise InputError(f'the work_dir {work_dir} is given twice, expected once; remove one')
        seen.add(work_dir.resolve())


def refuse_repetitions(runs: Sequence[TransferResult]) -> None:
    """Refuses runs of a name that are the same training, or repeat one: the same seed, from the same backbone.

    Without deterministic operations, such runs differ, but by less than two seeds do.

    Raises:
        InputError: A run repeats another one.
    """
    for first, second in combinations(runs, 2):
        both = f'the work_dirs {first.work_dir} and {second.work_dir}'
        if first.training is not None and first.training == second.training:
            raise InputError(f'{both} are of the same training, expected one run per seed; remove one')
        if _is_repeated(first, second):
            start = 'the same backbone' if first.pretraining.identity else 'random weights'
            raise InputError(
                f'{both} start from {start} with the same seed, {first.seed}; remove one, or train it with another '
                'randomness.seed'
            )


def number_of_backbones(runs: Sequence[TransferResult]) -> int:
    """How many backbones the runs start from. Random weights count as one for each run."""
    return len({run.pretraining.identity or run.work_dir for run in runs})


def _is_repeated(first: TransferResult, second: TransferResult) -> bool:
    same_start = first.pretraining.identity == second.pretraining.identity
    return same_start and first.seed is not None and first.seed == second.seed
