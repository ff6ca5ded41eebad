"""The plots of a comparison's page, each with a caption, and with its values for readers who do not see it."""

import math

from markupsafe import Markup

from auglocal_mm.errors import InputError
from auglocal_mm.html import inline_plot, side_by_side
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.evaluation_log import AP_ITEMS, logged_validations
from auglocal_mm.transfer.interval_report import others
from auglocal_mm.transfer.intervals import Intervals
from auglocal_mm.transfer.labels import NOT_AVAILABLE, label, signed
from auglocal_mm.transfer.page.plots import (
    Curves,
    difference_limits,
    kinds,
    leaves,
    plot_convergence,
    plot_differences,
    plot_sizes,
    style,
)
from auglocal_mm.transfer.paired_interval import LEVEL, Interval

MOST_CATEGORIES = 80
"""In a plot."""


def metric_figures(comparison: Comparison, intervals: Intervals | None, margin: float) -> Markup:
    """Differences in all metrics, for each name and kind."""
    if intervals is None:
        return Markup('')
    plots = []
    for name in others(comparison):
        for kind in kinds(comparison):
            found = {metric: intervals.metrics[name].get(metric) for metric in (f'{kind}_{item}' for item in AP_ITEMS)}
            known = {label(metric): each for metric, each in found.items() if each}
            if known:
                plots.append(_differences(comparison, name, known, margin, label(f'{kind}_mAP')))
    return side_by_side(plots)


def category_figures(comparison: Comparison, intervals: Intervals | None, margin: float) -> Markup:
    """Differences in the AP of each category, for each name and kind."""
    if intervals is None:
        return Markup('')
    plots = []
    for name in others(comparison):
        for kind, found in intervals.categories[name].items():
            known = {category: each for category, each in found.items() if each}
            largest = sorted(known, key=lambda category: -abs(known[category].difference))[:MOST_CATEGORIES]
            ordered = sorted(largest, key=lambda category: -known[category].difference)
            rows = {category: known[category] for category in ordered}
            if rows:
                plots.append(_differences(comparison, name, rows, margin, f'{label(f"{kind}_mAP")} of each category'))
    return side_by_side(plots)


def _differences(comparison: Comparison, name: str, rows: dict[str, Interval], margin: float, what: str) -> Markup:
    title = f'{name} minus {comparison.control}: {what}'
    figure = plot_differences(rows, margin, style(comparison, name), 'difference (points)')
    values = '; '.join(_spoken(row, each) for row, each in rows.items())
    caption = f'{title} with {100 * LEVEL:.0f} % intervals. Shaded: ±{margin:g} points.'
    if not all(math.isfinite(each.half_width) for each in rows.values()):
        caption += ' Hollow: objects in too few images for an interval.'
    if any(leaves(each, *difference_limits(rows.values(), margin)) for each in rows.values()):
        caption += ' Arrows: the interval leaves the plot.'
    return inline_plot(figure, f'{title}: {values}.', caption)


def _spoken(row: str, interval: Interval) -> str:
    if math.isinf(interval.half_width):
        return f'{row} {signed(interval.difference)}'
    return f'{row} {signed(interval.difference)} from {signed(interval.low)} to {signed(interval.high)}'


def size_figures(comparison: Comparison) -> Markup:
    """AP of small, medium and large objects, for each kind."""
    several = any(len(runs) > 1 for runs in comparison.groups.values())
    spread = ' Bars: standard deviation between runs.' if several else ''
    return side_by_side(
        inline_plot(
            plot_sizes(comparison, kind),
            f'A plot of the {label(f"{kind}_mAP")} of small, medium and large objects in the table',
            f'The {label(f"{kind}_mAP")} of small, medium and large objects.{spread}',
        )
        for kind in kinds(comparison)
    )


def convergence_figures(comparison: Comparison) -> Markup:
    """AP over the epochs of each run, and which runs logged none."""
    curves, missing = _curves(comparison)
    counted = all(run.evaluation.epoch is not None for runs in comparison.groups.values() for run in runs)
    step = 'epoch' if counted else 'iteration'
    plots = [
        inline_plot(
            plot_convergence(comparison, curves, kind, step),
            f'{label(f"{kind}_mAP")} by {step}. ' + _values_of_curves(curves, f'{kind}_mAP'),
            f'The {label(f"{kind}_mAP")} at each validation, by {step}.',
        )
        for kind in kinds(comparison)
        if curves
    ]
    return side_by_side(plots) + Markup('').join(Markup('<p>{}</p>').format(note) for note in missing)


def _curves(comparison: Comparison) -> tuple[Curves, list[str]]:
    """The validations of each run of each name, and sentences about those that are missing."""
    curves: dict[str, list[dict[int, dict[str, float | None]]]] = {}
    missing = []
    for name, run in ((name, run) for name, runs in comparison.groups.items() for run in runs):
        try:
            validations = logged_validations(run.work_dir)
        except InputError as error:
            missing.append(f'There is no curve of {run.work_dir}: {error}.')
            continue
        if validations:
            curves.setdefault(name, []).append(validations)
        else:
            missing.append(f'There is no curve of {run.work_dir}, which has no log of a validation.')
    return curves, missing


def _values_of_curves(curves: Curves, metric: str) -> str:
    values = (
        (name, [NOT_AVAILABLE if (value := metrics[metric]) is None else f'{value:.1f}' for metrics in run.values()])
        for name, runs in curves.items()
        for run in runs
    )
    return '; '.join(f'{name}: {", ".join(each)}' for name, each in values)
