"""The plots of a comparison's page: narrow enough for a phone, in colours that suit light and dark pages."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.evaluation_log import METRICS
from auglocal_mm.transfer.labels import label
from auglocal_mm.transfer.paired_interval import Interval

COLOURS = ('#808080', '#2f86c8', '#d06a1b', '#2e9a72', '#a66bbe', '#b8860b')
"""Of the names: grey for the control."""
MARKERS = 'osD^vP'
WIDTH = 5.0
"""Inches."""
WIDEST = 3
"""Times the median half-width of all intervals in a plot: what is wider leaves the plot, and does not squeeze the others."""
Curves = Mapping[str, Sequence[Mapping[int, Mapping[str, float | None]]]]
"""AP points by metric, for each step of each run of each name."""


def style(comparison: Comparison, name: str) -> dict[str, Any]:
    """How a name is drawn in all plots."""
    index = list(comparison.groups).index(name)
    return {'color': COLOURS[index % len(COLOURS)], 'marker': MARKERS[index % len(MARKERS)], 'label': name}


def difference_limits(intervals: Collection[Interval], margin: float) -> tuple[float, float]:
    """The ends of the axis of differences: it contains all differences, the margin, and the intervals up to ``WIDEST``."""
    widths = [each.half_width for each in intervals if math.isfinite(each.half_width)]
    widest = WIDEST * float(np.median(widths)) if widths else 0.0
    drawn = [
        (each.difference, min(each.half_width, widest) if math.isfinite(each.half_width) else 0) for each in intervals
    ]
    low = min(-margin, *(difference - width for difference, width in drawn))
    high = max(margin, *(difference + width for difference, width in drawn))
    space = 0.05 * (high - low) or 1.0
    return low - space, high + space


def leaves(interval: Interval, low: float, high: float) -> bool:
    """Whether an interval is finite and does not lie between the ends of an axis."""
    return math.isfinite(interval.half_width) and not low <= interval.low <= interval.high <= high


def plot_differences(intervals: Mapping[str, Interval], margin: float, drawn: Mapping[str, Any], what: str) -> Figure:
    """One row per metric or category, from the top: its difference, its interval if that is finite, and the margin.

    Arrows are where an interval leaves the plot.

    Args:
        intervals: By what is written at the row.
        margin: Differences up to this one do not matter, in points.
        drawn: Style of the name.
        what: Label of the axis.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + 0.2 * len(intervals)), layout='constrained')
    axes = figure.subplots()
    axes.axvspan(-margin, margin, color='#808080', alpha=0.2, linewidth=0)
    axes.axvline(0, color='black', linewidth=0.8)
    low, high = difference_limits(intervals.values(), margin)
    for row, each in enumerate(intervals.values()):
        if math.isfinite(each.half_width):
            axes.plot([each.low, each.high], [row, row], color=drawn['color'], linewidth=1.5, solid_capstyle='butt')
        full = math.isfinite(each.half_width)
        axes.plot(
            each.difference,
            row,
            drawn['marker'],
            color=drawn['color'],
            markersize=5,
            fillstyle='full' if full else 'none',
        )
        for arrow, end, beyond in (('<', low, each.low < low), ('>', high, each.high > high)):
            if full and beyond:
                axes.plot(end, row, arrow, color=drawn['color'], markersize=5, clip_on=False)
    axes.set_xlim(low, high)
    axes.set_yticks(range(len(intervals)), list(intervals))
    axes.set_ylim(len(intervals) - 0.4, -0.6)
    axes.tick_params(axis='y', length=0, pad=8)  # beside the arrows
    axes.set_xlabel(what)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    return figure


def plot_sizes(comparison: Comparison, kind: str) -> Figure:
    """AP of small, medium and large objects; with several runs, their standard deviation."""
    figure, axes = _figure()
    metrics = [f'{kind}_mAP{suffix}' for suffix in ('_s', '_m', '_l')]
    for index, name in enumerate(comparison.groups):
        offset = 0.16 * (index - (len(comparison.groups) - 1) / 2)
        statistics = [comparison.statistics[name][metric] for metric in metrics]
        means = _known(each.mean for each in statistics)
        places = [place + offset for place in range(len(metrics))]
        axes.errorbar(places, means, [each.std or 0 for each in statistics], linestyle='', **style(comparison, name))
    axes.set_xticks(range(len(metrics)), ['small', 'medium', 'large'])
    axes.set(xlim=(-0.5, 2.5), ylabel=f'{label(f"{kind}_mAP")} (points)')
    axes.set_ylim(bottom=0)
    _legend(figure, axes)
    return figure


def plot_convergence(comparison: Comparison, curves: Curves, kind: str, step: str) -> Figure:
    """AP of each validation: a thin line for each run and, of several, a thick one for the mean at the steps that all have.

    Args:
        comparison: For the styles of the names.
        curves: What is drawn.
        kind: ``'bbox'`` or ``'segm'``.
        step: Label of the axis.
    """
    figure, axes = _figure()
    for name, runs in curves.items():
        drawn = style(comparison, name)
        points = [{step: metrics[f'{kind}_mAP'] for step, metrics in run.items()} for run in runs]
        for run in points if len(points) > 1 else ():
            axes.plot([*run], _known(run.values()), color=drawn['color'], linewidth=0.7, alpha=0.6)
        common = [step for step in points[0] if all(step in run for run in points)]
        means = np.mean([_known(run[step] for step in common) for run in points], axis=0)
        axes.plot(common, means, linewidth=1.6, markersize=4, **drawn)
    axes.set(xlabel=step, ylabel=f'{label(f"{kind}_mAP")} (points)')
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend(figure, axes)
    return figure


def kinds(comparison: Comparison) -> list[str]:
    """``'bbox'`` and ``'segm'``, as far as any name has AP of them."""
    measured = {
        metric
        for name in comparison.groups
        for metric in METRICS
        if comparison.statistics[name][metric].mean is not None
    }
    return [kind for kind in ('bbox', 'segm') if f'{kind}_mAP' in measured]


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 3.2), layout='constrained')
    axes = figure.subplots()
    axes.spines[['top', 'right']].set_visible(False)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc='outside upper left', ncols=3, frameon=False)


def _known(values: Iterable[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
