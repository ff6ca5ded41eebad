"""What came of a run: validation accuracy at the end and at its best, and the last losses and accuracies of every module."""

from collections.abc import Sequence
from dataclasses import dataclass

from auglocal_mm.pretraining_report.pretraining_run import LOCAL, PretrainingRun
from auglocal_mm.weights.record_text import interval

ACCURACY = 'accuracy/'
"""Begins the names of validation metrics: ``accuracy/top1``."""
WHOLE = 'whole network'
"""The one module of backpropagation."""


@dataclass(frozen=True)
class Validations:
    """The validations of a run by one metric, in percent.

    Attributes:
        last: Of the last one.
        best: The highest, of the earliest one that has it.
        best_step: Its epoch, or iteration.
    """

    last: float
    best: float
    best_step: int


def validations(run: PretrainingRun, metric: str) -> Validations | None:
    """Those by ``metric``, such as ``'accuracy/top1'``; ``None`` if there are none yet."""
    points = run.log.validation.get(metric)
    if not points:
        return None
    best_step, best = max(points, key=lambda point: point[1])
    return Validations(points[-1][1], best, best_step)


def metrics(runs: Sequence[PretrainingRun]) -> dict[str, str]:
    """All accuracies that were validated, with their usual names: ``{'accuracy/top1': 'top-1'}``."""
    names = dict.fromkeys(name for run in runs for name in run.log.validation if name.startswith(ACCURACY))
    return {name: name.removeprefix(ACCURACY).replace('top', 'top-') for name in names}


def outcome(run: PretrainingRun) -> str:
    """What came of it, in a sentence."""
    found = validations(run, f'{ACCURACY}top1')
    if found is None:
        return f'There is no top-1 accuracy{"" if run.finished else " yet"}.'
    images, percent = run.record.num_validation_images, f'{found.last:.2f}\N{NO-BREAK SPACE}%'
    known = f', with a 95 % interval of {interval(found.last, images)}' if images else ''
    return f'Its top-1 accuracy on the validation set is {percent}{"" if run.finished else " so far"}{known}.'


def module_curves(run: PretrainingRun, kind: str) -> dict[str, Sequence[tuple[int, float]]]:
    """The curves of all modules by their names, from the first to the last.

    Args:
        run: Whose curves they are.
        kind: ``'loss'``, ``'accuracy'`` (of training batches, in percent) or ``'grad_norm'``.
    """
    names = {module: f'{LOCAL}{module}/{kind}' for module in run.modules} or {WHOLE: kind}
    return {module: run.log.training[name] for module, name in names.items() if name in run.log.training}


def final_values(run: PretrainingRun) -> dict[str, dict[str, float]]:
    """The last values of the curves, by module and kind."""
    kinds = ('loss', 'accuracy', 'grad_norm')
    found = {kind: module_curves(run, kind) for kind in kinds}
    return {
        module: {kind: curves[module][-1][1] for kind, curves in found.items() if module in curves}
        for module in run.modules or [WHOLE]
    }
