"""Figures of the simulated trainings."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from records import Row, Simulation

from auglocal_mm.analysis.tables import write_figure

GPU = 'assumed GPU'
LINES = {  # label -> values of rows, and how the line is drawn
    'data-parallel BP': (dict(method='data-parallel BP'), 'k-o'),
    'pipelined BP (1F1B)': (dict(method='pipelined BP'), 'k--s'),
    'local, coarse, DGL': (dict(method='layer-parallel', scheme='coarse', heads='DGL'), 'C0-o'),
    'local, coarse, InfoPro': (dict(method='layer-parallel', scheme='coarse', heads='InfoPro'), 'C2-o'),
    'local, coarse, AugLocal d=2': (dict(method='layer-parallel', scheme='coarse', heads='AugLocal d=2'), 'C1-o'),
    'local, layer by layer, AugLocal d=2': (
        dict(method='layer-parallel', scheme='layer by layer', heads='AugLocal d=2'),
        'C1--s',
    ),
}


def write_figures(simulation: Simulation, folder: Path) -> None:
    """Writes all figures to ``folder``."""
    networks = list(dict.fromkeys(row.network for row in simulation.rows))
    by_devices, axes = _figure(networks)
    for each, network in zip(axes, networks, strict=True):
        each.set_xscale('log', base=2)
        _lines(each, simulation, 'devices', network=network, device=GPU, bandwidth=25)
    by_bandwidth, axes = _figure(titles := ('4 devices', '16 devices'))
    for each, title in zip(axes, titles, strict=True):
        each.set_xscale('log')
        _lines(each, simulation, 'bandwidth', network='ResNet-101', device=GPU, devices=int(title.split()[0]))
    by_slowness, axes = _figure(titles := ('jitter', 'straggler'))
    _lines(axes[0], simulation, 'jitter', network='ResNet-101', device=GPU, devices=16, bandwidth=25)
    _lines(axes[1], simulation, 'straggler', network='ResNet-101', device=GPU, devices=16, bandwidth=25)
    for name, figure in (('devices', by_devices), ('bandwidth', by_bandwidth), ('slowness', by_slowness)):
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc='outside lower center', ncols=3, fontsize=8)
        write_figure(folder / f'{name}.png', figure)
        print(f'wrote {folder / name}.png')


def _figure(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(3.2 * len(titles), 4.0), dpi=100, layout='constrained')
    axes = list(figure.subplots(1, len(titles), sharey=True))
    for each, title in zip(axes, titles, strict=True):
        each.set_title(title, fontsize=10)
        each.spines[['top', 'right']].set_visible(False)
        each.grid(alpha=0.3)
        each.set_yscale('log', base=2)
        each.yaxis.set_major_formatter(lambda value, _: f'{value:g}x')
    axes[0].set_ylabel('speed-up against BP on one device')
    return figure, axes


def _lines(axes: Axes, simulation: Simulation, key: str, **values: object) -> None:
    """A line for each method, against ``key``; the devices are otherwise those of ``values``."""
    free = {'jitter': {'jitter': None}, 'straggler': {'straggler': None}}.get(key, {})
    for label, (own, style) in LINES.items():
        rows: list[Row] = simulation.find(**values, **own, **free)
        points = sorted({getattr(row, key): row.speedup for row in rows}.items())
        axes.plot(*(zip(*points, strict=True) if points else ([], [])), style, label=label, markersize=4)
    ticks = sorted({getattr(row, key) for row in simulation.rows} - {0, *((1,) if key == 'devices' else ())})
    axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks], fontsize=8)
    axes.minorticks_off()
    names = {'devices': 'devices', 'bandwidth': 'Gbit/s', 'jitter': 'jitter', 'straggler': 'factor of the straggler'}
    axes.set_xlabel(names[key])
