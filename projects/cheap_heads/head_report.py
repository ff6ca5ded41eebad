"""Tables and draws accuracy against compute, from the results of the studies and the costs that there are."""

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from head_costs import read_costs
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.studies import Study, overrides, read_results, read_study

sys.path.append(str(Path(__file__).parents[1] / 'paper_tables'))

from make_tables import describe, values

HERE = Path(__file__).parent
STUDIES = {'cifar10': 'ResNet-32, 32 px', 'tiny_imagenet': 'ResNet-34, 64 px'}
"""Studies, and their networks in the costs."""
COSTS = ('multiply_adds', 'activations')
NOTE = 'Compute and activations are those of a training step relative to BP; the mean of two steps in turn.'


def entries(study: Study, results: Mapping[str, Any], costs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each run: its accuracies, and its costs relative to BP."""
    metric = study.metrics[0]
    return [
        {
            'study': study.name,
            'row': run.row,
            'heads': run.column,
            'top1': values(run, metric, results),
            'text': describe(run, metric, results),
            'overrides': overrides(results.get(run.name, {})),
            **{key: costs[run.column][key] / costs['BP'][key] for key in COSTS},
        }
        for run in study.runs
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row for each run of one study, with a note on settings of the command line."""
    cells = [(each['row'], each['heads'], each['text'], *(f'{each[key]:.2f}x' for key in COSTS)) for each in rows]
    changed = sorted({f'{key}={value}' for each in rows for key, value in each['overrides'].items()})
    note = f"\n\n† Run with {', '.join(changed)} instead of the study's settings." if changed else ''
    return markdown_table(('', 'heads', 'top-1', 'compute', 'activations'), cells) + note


def plot(found: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Top-1 against compute, one panel for each schedule that has results; ``None`` if none has."""
    done = [each for each in found if each['top1']]
    panels = list(dict.fromkeys((each['study'], each['row']) for each in done))
    if not panels:
        return None
    figure = Figure(figsize=(6 * len(panels), 4.5), dpi=150, layout='constrained')
    for axes, (study, row) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, [each for each in done if (each['study'], each['row']) == (study, row)])
        axes.set(title=f'{STUDIES[study]}, {row}', xlabel='compute of a step, relative to BP', ylabel='top-1, %')
        axes.set_xlim(0, 1.25 * max(each['multiply_adds'] for each in done))  # with room for the names
        axes.spines[['top', 'right']].set_visible(False)
    return figure


def _draw(axes: Axes, done: Sequence[Mapping[str, Any]]) -> None:
    """Every seed, and the mean with the name of the heads."""
    for index, each in enumerate(done):
        mean, compute = statistics.mean(each['top1']), each['multiply_adds']
        axes.plot([compute] * len(each['top1']), each['top1'], '.', color=f'C{index}', alpha=0.4)
        axes.plot(compute, mean, 'o', color=f'C{index}')
        axes.annotate(each['heads'], (compute, mean), xytext=(5, 3), textcoords='offset points', fontsize=8)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--results', type=Path, default=HERE / 'results', help='folder of costs.json, of the results and of the report'
    )
    options = parser.parse_args(arguments)
    costs, found, sections = read_costs(options.results), [], ['# Accuracy of cheaper heads', NOTE]
    for name, network in STUDIES.items():
        study = read_study(HERE / f'{name}.py')
        rows = entries(study, read_results(options.results / f'{name}.json'), costs[network])
        found += rows
        sections += [f'## {study.title}', study.note, table(rows)]
    write_report(options.results, 'accuracy', '\n\n'.join(sections) + '\n', found, plot(found))


if __name__ == '__main__':
    main()
