"""A comparison of detectors as a bar plot."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.evaluation_log import METRICS
from auglocal_mm.transfer.labels import NOT_AVAILABLE, label

_GROUP_WIDTH = 0.84  # of the distance between two metrics


def plot(comparison: Comparison, title: str = 'Transfer to COCO') -> Figure:
    """Draws box AP above mask AP, one group of bars per metric and one bar per name.

    Error bars are sample standard deviations, where there is more than one run. The figure opens no window and changes
    no global state; save it with ``savefig``, or end a notebook cell with it.
    """
    names = list(comparison.groups)
    figure = Figure(figsize=(max(8.0, 2.5 + 2.0 * len(names)), 7.5), dpi=150, layout='constrained')
    figure.suptitle(title, parse_math=False)
    for axes, kind in zip(figure.subplots(2, 1), ('bbox', 'segm'), strict=True):
        metrics = [metric for metric in METRICS if metric.startswith(kind)]
        for index, name in enumerate(names):
            _bars(axes, comparison, name, metrics, index / len(names))
        centre = _GROUP_WIDTH * (len(names) - 1) / (2 * len(names))
        axes.set_xticks([position + centre for position in range(len(metrics))], [label(metric) for metric in metrics])
        axes.set_ylabel('AP (points)')
        axes.spines[['top', 'right']].set_visible(False)
        axes.margins(y=0.12)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc='outside lower center', ncols=min(len(names), 5))
    return figure


def _bars(axes: Axes, comparison: Comparison, name: str, metrics: list[str], offset: float) -> None:
    statistics = [comparison.statistics[name][metric] for metric in metrics]
    runs = len(comparison.groups[name])
    bars = axes.bar(
        [position + offset * _GROUP_WIDTH for position in range(len(metrics))],
        [statistic.mean or 0.0 for statistic in statistics],
        width=_GROUP_WIDTH / len(comparison.groups),
        yerr=[statistic.std or 0.0 for statistic in statistics] if runs > 1 else None,
        capsize=3,
        label=f'{name} (n = {runs})',
    )
    labels = [NOT_AVAILABLE if statistic.mean is None else f'{statistic.mean:.1f}' for statistic in statistics]
    axes.bar_label(bars, labels=labels, padding=2, fontsize=8)
