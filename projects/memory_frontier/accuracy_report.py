"""Tables the accuracy of coarse partitions beside the memory, FLOPs and time of their training."""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmengine.registry import init_default_scope
from pydantic import BaseModel
from rich.progress import track

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.benchmark.measurement import measure_alone
from auglocal_mm.benchmark.schemes import Scheme
from auglocal_mm.benchmark.summary import Machine, machine
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there, write_json
from auglocal_mm.files.json_file import Count, Positive, read_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.studies import Study, overrides, read_results, read_study, run_config

HERE = Path(__file__).parent
METRIC = 'accuracy/top1'
COSTS = {'activations': 'activations', 'flops': 'FLOPs', 'seconds': 'time'}


class Cost(BaseModel):
    """The costs of an iteration of one run."""

    activations: Positive
    flops: Positive
    seconds: Positive


class Costs(BaseModel):
    """The costs of all runs of a study, on one machine."""

    machine: Machine
    batch_size: Count
    runs: dict[str, Cost]


def measure_costs(study: Study, rounds: int) -> dict[str, Any]:
    """Activations, FLOPs and median seconds of an iteration of every run, in turn, over several rounds.

    Raises:
        InputError: A run does not fit into the memory of this machine.
    """
    schemes = [
        Scheme(run.name, run_config(run, 0, {'model.image_size': 64, 'optim_wrapper.type': 'OptimWrapper'}))
        for run in study.runs
    ]
    times: dict[str, list[float]] = {scheme.name: [] for scheme in schemes}
    costs: dict[str, Any] = {}
    for scheme in track(schemes * rounds, description='measuring'):
        measured = measure_alone(scheme, 3, 'cpu')
        if isinstance(measured, str):
            raise InputError(f'{scheme.name} cannot be measured: {measured}; use a machine with more memory')
        times[scheme.name] += measured.times
        costs[scheme.name] = {'activations': measured.activations, 'flops': measured.flops}
    for name, cost in costs.items():
        cost['seconds'] = statistics.median(times[name])
    return {'machine': machine('cpu'), 'batch_size': schemes[0].config.train_dataloader.batch_size, 'runs': costs}


def collect(study: Study, results: Mapping[str, Any], costs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each run: its accuracies, and its costs relative to backpropagation of the same network."""
    reference = {run.row: costs['runs'][run.name] for run in study.runs if run.column == 'BP'}
    return [
        {
            'network': run.row,
            'training': run.column,
            'top1': [record['accuracy'][METRIC] for record in results.get(run.name, {}).values()],
            'overrides': overrides(results.get(run.name, {})),
            **{key: costs['runs'][run.name][key] / reference[run.row][key] for key in COSTS},
        }
        for run in study.runs
    ]


def describe(top1: Sequence[float], marked: bool = False) -> str:
    """The mean, with the sample standard deviation over several seeds, and a mark."""
    if len(top1) < 2:
        text = f'{top1[0]:.1f} (n=1)' if top1 else 'not run'
    else:
        text = f'{statistics.mean(top1):.1f} ± {statistics.stdev(top1):.1f} (n={len(top1)})'
    return f'{text} †' if marked else text


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A row for each run, with a note on other settings."""
    rows = []
    for each in entries:
        costs = [f'{each[key]:.2f}x' for key in COSTS]
        rows.append((each['network'], each['training'], describe(each['top1'], bool(each['overrides'])), *costs))
    changed = {f'{key}={value}' for each in entries for key, value in each['overrides'].items()}
    note = (
        f'\n\n† Some seeds were run with {", ".join(sorted(changed))} instead of the setting of the study.'
        if changed
        else ''
    )
    return markdown_table(('', '', 'top-1', *COSTS.values()), rows) + note


def plot(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Top-1 against each cost: every seed, and the mean with its name."""
    figure = Figure(figsize=(5 * len(COSTS), 5), dpi=150, layout='constrained')
    panels = figure.subplots(1, len(COSTS), sharey=True)
    networks = list(dict.fromkeys(each['network'] for each in entries))
    for axes, (key, label) in zip(panels, COSTS.items(), strict=True):
        for each in (each for each in entries if each['top1']):
            colour = f'C{networks.index(each["network"])}'
            mean = statistics.mean(each['top1'])
            axes.plot([each[key]] * len(each['top1']), each['top1'], '.', color=colour, alpha=0.4)
            axes.plot(each[key], mean, 'o', color=colour)
            name = f'{each["network"].removeprefix("ResNet-")}: {each["training"]}'
            axes.annotate(name, (each[key], mean), xytext=(5, 3), textcoords='offset points', fontsize=7)
        axes.set(xlabel=f'{label} of an iteration, relative to BP', xlim=(0, None))
        axes.spines[['top', 'right']].set_visible(False)
    panels[0].set(ylabel='top-1, %')
    return figure


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the report; measures the costs if there are none yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--results', type=Path, default=HERE / 'results', help='folder of accuracy.json and of the report'
    )
    parser.add_argument('--measure', action='store_true', help='measure the costs again; use an idle machine')
    parser.add_argument('--rounds', type=int, default=2, help='rounds of measurement, of three iterations each')
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        raise InputError(f'--rounds is {options.rounds}; expected 1 or more')
    init_default_scope('auglocal_mm')
    study, path = read_study(HERE / 'accuracy.py'), options.results / 'accuracy_costs.json'
    if options.measure or not is_there(path):
        write_json(path, measure_costs(study, options.rounds))
    costs = read_json(path, Costs, 'restore it, or measure again with --measure').model_dump()
    entries = collect(study, read_results(options.results / 'accuracy.json'), costs)
    here = costs['machine']
    note = (
        f'{study.note} Costs are those of an iteration of {costs["batch_size"]} images in float32, relative to BP of the same '
        f'network; time on {here["processor"]}, {here["cores"]} cores.'
    )
    markdown = f'# {study.title}\n\n{note}\n\n{table(entries)}\n'
    write_report(options.results, 'accuracy_report', markdown, entries, plot(entries))


if __name__ == '__main__':
    main()
