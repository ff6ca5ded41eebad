"""Writes the table of a study: every cell shows the result measured here and that of the paper."""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.studies import Run, Study, overrides, read_results, read_study
from auglocal_mm.studies.machine_settings import first_difference

HERE = Path(__file__).parent

NOT_RUN = 'not run'
Results = Mapping[str, Mapping[str, Any]]


def values(run: Run, metric: str, results: Results) -> list[float]:
    """The results of all seeds of a run.

    Raises:
        InputError: A record does not have the metric, or was run with other options than those of the study.
    """
    records = results.get(run.name, {})
    for seed, record in records.items():
        key = first_difference(record.get('options', run.options), run.options)
        if key:
            raise InputError(
                f'the result of {run.name}, seed {seed}, was run with another {key} than that of the study; correct the '
                'study, or remove the result and run it again'
            )
        if metric not in record.get('accuracy', {}):
            raise InputError(
                f'the result of {run.name}, seed {seed}, has no {metric}, which is in the metrics of the study; correct '
                'them, or remove the result and run it again'
            )
    return [record['accuracy'][metric] for record in records.values()]


def describe(run: Run, metric: str, results: Results) -> str:
    """``ours (paper's)``: the mean, with the sample standard deviation where there are several seeds."""
    found = values(run, metric, results)
    ours = f'{statistics.mean(found):.2f}' if found else NOT_RUN
    if len(found) > 1:
        ours += f' ± {statistics.stdev(found):.2f} (n={len(found)})'
    paper = f' ({run.paper[metric]:.2f})' if metric in run.paper else ''
    return f'{ours}{paper}{" †" if overrides(results.get(run.name, {})) else ""}'


def table(study: Study, metric: str, results: Results) -> str:
    """The table in the order of the study, with a note on runs with other settings."""
    columns = list(dict.fromkeys(run.column for run in study.runs))
    cells = {(run.row, run.column): describe(run, metric, results) for run in study.runs}
    rows = [
        [row, *(cells.get((row, column), '') for column in columns)] for row in dict.fromkeys(r.row for r in study.runs)
    ]
    changed = [(run.name, overrides(results.get(run.name, {}))) for run in study.runs]
    marked = [f'{name} ({", ".join(f"{k}={v}" for k, v in keys.items())})' for name, keys in changed if keys]
    note = f"\n\n† Run with settings of the command line instead of the study's: {'; '.join(marked)}." if marked else ''
    return markdown_table(['', *columns], rows) + note


def plot(study: Study, results: Results) -> Figure | None:
    """The first metric of every finished run beside the paper's value; ``None`` if there are no results."""
    metric = study.metrics[0]
    done = [run for run in study.runs if values(run, metric, results)]
    if not done:
        return None
    figure = Figure(figsize=(8, 1.5 + 0.4 * len(done)), dpi=150, layout='constrained')
    axes = figure.subplots()
    for y, run in enumerate(done):
        found = values(run, metric, results)
        axes.plot(found, [y] * len(found), 'o', color='tab:blue', label='here, each seed' if y == 0 else None)
        if metric in run.paper:
            axes.plot(run.paper[metric], y, 'x', color='tab:gray', label='paper' if y == 0 else None)
    axes.set_yticks(range(len(done)), [f'{run.row} {run.column}' for run in done])
    axes.set(xlabel=metric, title=study.title)
    axes.invert_yaxis()
    axes.legend()
    return figure


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and writes a table, its data and a plot for each study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('studies', nargs='*', type=Path, help='study files; default: all')
    parser.add_argument(
        '--results', type=Path, default=HERE / 'results', help='folder of the results and of the tables'
    )
    options = parser.parse_args(arguments)
    for path in options.studies or sorted((HERE / 'studies').glob('*.py')):
        study = read_study(path)
        results = read_results(options.results / f'{study.name}.json')
        done = sum(run.name in results for run in study.runs)
        tables = '\n\n'.join(f'{metric}\n\n{table(study, metric, results)}' for metric in study.metrics)
        state = f"In every cell: measured here (the paper's value). {done} of {len(study.runs)} were run."
        head = f'# {study.title}\n\n{study.note}\n\n{state}'
        data = {run.name: {'row': run.row, 'column': run.column, 'paper': dict(run.paper)} for run in study.runs}
        for name, entry in data.items():
            entry['measured'] = {seed: record['accuracy'] for seed, record in results.get(name, {}).items()}
        for run in study.runs:
            if changed := overrides(results.get(run.name, {})):
                data[run.name]['overrides'] = changed
        write_report(options.results, f'{study.name}_table', f'{head}\n\n{tables}\n', data, plot(study, results))


if __name__ == '__main__':
    main()
