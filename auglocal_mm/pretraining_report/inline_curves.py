"""The plots of a report: curves of runs, described for readers who do not see them."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from auglocal_mm.html import inline_plot
from auglocal_mm.pretraining_report.curve_plots import Points, limits, module_colours, plot_modules, plot_runs
from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun
from auglocal_mm.pretraining_report.results import module_curves

KINDS = {'loss': 'loss', 'accuracy': 'accuracy (%)'}
"""The names of what is plotted of every module."""
KEY = Markup('<span class="nowrap"><span aria-hidden="true" style="color: {}">&#9632;</span> {}</span>')


def module_plots(runs: Sequence[PretrainingRun]) -> list[Markup]:
    """A plot for each run with the losses and accuracies of its local modules, all with the same ranges."""
    found = [{label: _by_epoch(run, kind) for kind, label in KINDS.items()} for run in runs]
    shared = {label: limits([curve for kinds in found for curve in kinds[label].values()]) for label in KINDS.values()}
    ends = [(run.unit, run.by_epoch([(run.iterations, 0)])[0][0]) for run in runs]
    return [
        inline_plot(
            plot_modules(kinds, run.unit, shared, max(end for unit, end in ends if unit == run.unit)),
            f'{run.name} by {run.unit}. {" ".join(_first_and_last(label, curves) for label, curves in kinds.items())}',
            _key(run),
        )
        for run, kinds in zip(runs, found, strict=True)
    ]


def validation_plots(runs: Sequence[PretrainingRun], metric: str, label: str) -> list[Markup]:
    """A plot of a metric of all runs that have it; two where some are validated by epoch and some by iteration.

    Args:
        runs: Those of the report.
        metric: Such as ``'accuracy/top1'``.
        label: Its name.
    """
    return _run_plots([(run.name, run.validation_unit, run.log.validation.get(metric, [])) for run in runs], label)


def training_plots(runs: Sequence[PretrainingRun], name: str, label: str, scale: float = 1) -> list[Markup]:
    """As :func:`validation_plots`, of what is logged in training.

    Args:
        runs: Those of the report.
        name: Such as ``'lr'``.
        label: Its name.
        scale: Divides the values.
    """
    curves = []
    for run in runs:
        scaled = [(step, value / scale) for step, value in run.log.training.get(name, [])]
        curves.append((run.name, run.unit, run.by_epoch(scaled)))
    return _run_plots(curves, label, from_zero=True)


def _run_plots(curves: Sequence[tuple[str, str, Points]], label: str, from_zero: bool = False) -> list[Markup]:
    """One plot for each unit; the curves are those of runs, with their names and units."""
    plots = []
    for unit in dict.fromkeys(unit for _, unit, points in curves if points):
        chosen = {name: points for name, its_unit, points in curves if points and its_unit == unit}
        ends = ', '.join(f'{name} from {_ends(points)}' for name, points in chosen.items())
        plots.append(inline_plot(plot_runs(chosen, unit, label, from_zero), f'{label} by {unit}: {ends}.'))
    return plots


def _by_epoch(run: PretrainingRun, kind: str) -> dict[str, Points]:
    return {module: run.by_epoch(points) for module, points in module_curves(run, kind).items()}


def _first_and_last(label: str, curves: Mapping[str, Points]) -> str:
    names = [*curves][:: max(len(curves) - 1, 1)]
    return f'{label}: {", ".join(f"{name} from {_ends(curves[name])}" for name in names) or "none"}.'


def _ends(points: Points) -> str:
    return f'{points[0][1]:.3g} to {points[-1][1]:.3g}'


def _key(run: PretrainingRun) -> Markup:
    """The names of the local modules, each with its colour."""
    return Markup(' ').join(KEY.format(colour, name) for name, colour in module_colours(run.modules).items())
