"""Curves of local modules, and of runs, as figures that suit a light and a dark page, and a phone."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]
"""Pairs of x and y, ascending in x."""

WIDTH = 4.6
"""Inches."""
MOST_POINTS = 120
"""Of a curve; neighbours are averaged."""
DEPTH = LinearSegmentedColormap.from_list('depth', ['#2a7fd4', '#7f66d9', '#c2489f', '#dd5a45', '#c07f00'])
"""From the first module to the last, with about the same contrast to white as to black."""
RUNS = ('#1f77c9', '#d2601a', '#129a74', '#b957a5', '#9a7b00', '#7a6fd0')
DASHES = ('-', (0, (5, 2)), (0, (2, 1.5)), (0, (6, 1.5, 1, 1.5)))
"""Of runs in turn, so that equal curves are seen to be several."""


def module_colours(names: Sequence[str]) -> dict[str, str]:
    """The colours of local modules, by their depth."""
    return {name: to_hex(DEPTH(index / max(len(names) - 1, 1))) for index, name in enumerate(names)}


def plot_modules(
    kinds: Mapping[str, Mapping[str, Points]], x_label: str, limits: Mapping[str, tuple[float, float]], x_end: float
) -> Figure:
    """One line per local module, in the colour of its depth, and axes for each kind of curve.

    Args:
        kinds: Curves by the names of their kind, as in ``'loss'``, and of the modules.
        x_label: Unit of x.
        limits: Of y, by kind: those of all figures that are to be compared.
        x_end: End of x, likewise.
    """
    figure = Figure(figsize=(WIDTH, 2.3 * len(kinds) + 0.4), layout='constrained')
    rows = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (kind, curves) in zip(rows, kinds.items(), strict=True):
        colours = module_colours(list(curves))
        for name, points in curves.items():
            _line(axes, points, color=colours[name])
        _decorate(axes, kind)
        axes.set(xlim=(0, x_end), ylim=limits[kind])
    rows[-1].set_xlabel(x_label)
    figure.align_ylabels()
    return figure


def plot_runs(curves: Mapping[str, Points], x_label: str, y_label: str, from_zero: bool = False) -> Figure:
    """One line per run.

    Args:
        curves: By the names of runs.
        x_label: Unit of x.
        y_label: Name of y.
        from_zero: Whether the y axis begins at 0.
    """
    figure = Figure(figsize=(WIDTH, 2.9), layout='constrained')
    axes = figure.subplots()
    for index, (name, points) in enumerate(curves.items()):
        _line(axes, points, color=RUNS[index % len(RUNS)], linestyle=DASHES[index % len(DASHES)], label=name)
    _decorate(axes, y_label)
    axes.set_xlabel(x_label)
    axes.set_xlim(left=0)
    if from_zero:
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])  # a constant lies below the edge
    if len(curves) > 1:
        figure.legend(loc='outside upper left', ncols=2, borderaxespad=0)
    return figure


def limits(curves: Iterable[Points]) -> tuple[float, float]:
    """The range of all finite y, with a margin."""
    values = [y for points in curves for _, y in points if math.isfinite(y)] or [0.0]
    margin = 0.04 * (max(values) - min(values)) or 1.0
    return min(values) - margin, max(values) + margin


def thinned(points: Points) -> Points:
    """At most ``MOST_POINTS`` points, each the mean of neighbours."""
    size = math.ceil(len(points) / MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size or 1)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _decorate(axes: Axes, y_label: str) -> None:
    axes.set_ylabel(y_label)
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='y', color='#808080', alpha=0.25, linewidth=0.6)


def _line(axes: Axes, points: Points, **style: Any) -> None:
    shown = [(x, y) for x, y in thinned(points) if math.isfinite(y)]
    marker = '.' if len(shown) == 1 else ''
    axes.plot([x for x, _ in shown], [y for _, y in shown], marker=marker, linewidth=1.3, **style)
