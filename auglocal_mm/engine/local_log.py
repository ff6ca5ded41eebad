"""What a run of local learning writes to the log and to the visualizer."""

import math
from collections.abc import Sequence

from mmengine.runner import Runner
from torch import Tensor

from auglocal_mm.engine.divergence import divergence
from auglocal_mm.engine.passes import finished_passes


def log_statistics(runner: Runner, names: Sequence[str], values: Tensor, norms: Tensor) -> None:
    """Passes every iteration to the log, and every module's averages to the visualizer.

    Args:
        runner: Of the run; the last of the iterations is its current one.
        names: Of the K local modules.
        values: (iterations, K, 2) of loss and accuracy; both are NaN where a module was not trained.
        norms: (updates, K) gradient norms before clipping; may be empty.

    Raises:
        InputError: A module's loss was not finite.
    """
    for index, iteration in enumerate(values.tolist()):
        _refuse_non_finite(runner, names, iteration, runner.iter + 1 - (len(values) - 1 - index))
    for iteration in values:
        for name, value in _for_the_log(iteration).items():
            runner.message_hub.update_scalar(f'train/{name}', value)
    scalars: dict[str, float] = {}
    for module, (loss, accuracy) in zip(names, values.nanmean(dim=0).tolist(), strict=True):
        if not math.isnan(accuracy):
            scalars |= {f'local/{module}/loss': loss, f'local/{module}/accuracy': accuracy}
    if len(norms):
        for largest in norms.amax(dim=1).tolist():
            runner.message_hub.update_scalar('train/grad_norm', largest)
        means = zip(names, norms.mean(dim=0).tolist(), strict=True)
        scalars |= {f'local/{module}/grad_norm': norm for module, norm in means}
    runner.visualizer.add_scalars(scalars, step=runner.iter + 1)


def _refuse_non_finite(runner: Runner, names: Sequence[str], values: Sequence[Sequence[float]], iteration: int) -> None:
    for module, (loss, accuracy) in zip(names, values, strict=True):
        if not math.isfinite(loss) and not math.isnan(accuracy):
            epoch = finished_passes(runner, iteration - 1) + 1
            raise divergence(
                runner, f'the loss of local module {module} is {loss} in iteration {iteration} (epoch {epoch})'
            )


def _for_the_log(values: Tensor) -> dict[str, float]:
    """The few values of the log line, from one iteration (K, 2), without those of modules that were not trained."""
    losses, accuracy = values[:, 0], float(values[-1, 1])
    middle = {'loss_middle': float(losses[len(losses) // 2])} if len(losses) > 2 else {}
    first = {'loss_first': float(losses[0])} if len(losses) > 1 else {}
    found = {'loss': float(losses.nansum()), **first, **middle, 'loss_last': float(losses[-1]), 'accuracy': accuracy}
    return {name: value for name, value in found.items() if not math.isnan(value)}
