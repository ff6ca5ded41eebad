"""Figures over local layers: curves, and heat maps of pairs."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor


def plot_curves(
    curves: Mapping[str, Sequence[tuple[float, float]]], title: str, x_label: str, y_label: str, rainbow: bool = False
) -> Figure:
    """One line per name; ``rainbow`` shades many ordered lines from dark to light instead of naming each."""
    figure = Figure(figsize=(8, 5), dpi=150, layout='constrained')
    axes = figure.subplots()
    for index, (name, points) in enumerate(curves.items()):
        shade = (0.1, 0.2 + 0.7 * index / max(len(curves) - 1, 1), 0.7) if rainbow else None
        label = name if not rainbow or index in (0, len(curves) - 1) else None
        marker = '' if rainbow and len(points) > 1 else '.'
        axes.plot([x for x, _ in points], [y for _, y in points], color=shade, label=label, marker=marker)
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend()
    return figure


def plot_heat_map(values: Tensor, first: str, second: str, title: str) -> Figure:
    """CKA of every layer of ``first`` (rows) with every layer of ``second``, and below it that of corresponding layers."""
    figure = Figure(figsize=(7, 9), dpi=150, layout='constrained')
    image_axes, axes = figure.subplots(2, 1, height_ratios=(3, 1))
    rows, columns = values.shape
    counted_from_one = (0.5, columns + 0.5, 0.5, rows + 0.5)
    image = image_axes.imshow(values, origin='lower', vmin=0, vmax=1, cmap='magma', extent=counted_from_one)
    image_axes.set(title=title, xlabel=f'local layer of {second}', ylabel=f'local layer of {first}')
    figure.colorbar(image, ax=image_axes, label='linear CKA')
    axes.plot(range(1, len(values) + 1), values.diagonal(), marker='.')
    axes.set(xlabel='local layer', ylabel='CKA of corresponding layers', ylim=(0, 1.05))
    axes.spines[['top', 'right']].set_visible(False)
    return figure
