"""Plots convergence: the validation accuracy of several runs, and the curves of the local modules of each."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from auglocal_mm.analysis.layer_plots import plot_curves
from auglocal_mm.analysis.tables import markdown_table, write_figure, write_report
from auglocal_mm.analysis.training_log import read_curves
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool


def local_figure(name: str, curves: dict[str, list[tuple[int, float]]], kind: str) -> Figure | None:
    """The curves of all local modules; ``None`` for backpropagation, which has none."""
    chosen = {
        key.split('/')[1]: points for key, points in curves.items() if key.startswith('local/') and key.endswith(kind)
    }
    return plot_curves(chosen, f'{name}: {kind} of local modules', 'iteration', kind, rainbow=True) if chosen else None


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, draws and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs', nargs='+', metavar='NAME=WORK_DIR', help='a name in the figure, and the work_dir of a run'
    )
    parser.add_argument('--metric', default='accuracy/top1', help='validation metric; default: %(default)s')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    options = parser.parse_args(arguments)
    logs = {}
    for run in options.runs:
        name, _, work_dir = run.partition('=')
        if not work_dir or not name or '/' in name:
            raise InputError(
                f'got {run!r}, expected NAME=WORK_DIR with a name without slashes, which names the figures; write for '
                'example BP=work_dirs/bp'
            )
        if name in logs:
            raise InputError(f'the name {name} is given twice; rename one of the runs')
        logs[name] = read_curves(Path(work_dir))
        if options.metric not in logs[name]:
            raise InputError(
                f'{work_dir} has no {options.metric} in its logs; choose one of {", ".join(sorted(logs[name]))}'
            )
    validation = {name: curves[options.metric] for name, curves in logs.items()}
    rows = [(name, str(points[-1][0]), f'{points[-1][1]:.2f}') for name, points in validation.items()]
    markdown = f'# Convergence\n\n{markdown_table(("run", "last step", options.metric), rows)}\n'
    figure = plot_curves(validation, 'Convergence', 'epoch', options.metric)
    write_report(options.out, 'curves', markdown, logs, figure)
    for name, curves in logs.items():
        for kind in ('loss', 'accuracy'):
            local = local_figure(name, curves, kind)
            if local is not None:
                write_figure(options.out / f'{name}_local_{kind}.png', local)
                print(f'wrote {options.out / f"{name}_local_{kind}.png"}')


if __name__ == '__main__':
    main()
