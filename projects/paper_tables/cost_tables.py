"""Computes the FLOPs of the paper's ResNet-110 tables, and measures memory and time of their iterations; needs no data."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from method_costs import METHODS, load, measure_methods
from mmengine.config import Config
from mmengine.registry import init_default_scope
from pydantic import BaseModel

from auglocal_mm.analysis.layer_plots import plot_curves
from auglocal_mm.analysis.multiply_adds import network_cost
from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.benchmark.summary import Machine, machine
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import Count, Positive, read_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.registry import MODELS

HERE = Path(__file__).parent

DECAYS = (1.0, 0.9, 0.8, 0.7, 0.6)
PYRAMID = {
    5: (0.79, 0.83, 0.87, 0.89, 0.93),
    6: (0.90, 0.95, 0.99, 1.03, 1.09),
    7: (0.99, 1.06, 1.11, 1.17, 1.22),
    8: (1.09, 1.16, 1.22, 1.29, 1.36),
    9: (1.18, 1.26, 1.35, 1.41, 1.49),
}
NOTE = (
    'GFLOPs of one forward pass of one image of 32 pixels through the primary and all auxiliary networks: multiply-adds of '
    'convolutions and linear layers, and two for each element that a BatchNorm normalises. This convention, inferred '
    'from the printed values, is that of fvcore in evaluation mode. Layers that only a loss uses (decoders, similarity) are '
    'not counted. The figure in brackets is the one printed in arXiv 2402.17318.'
)
MEASURED = (
    'Memory is the peak with a batch of 1024 in float32: activations, measured in a real iteration of fewer images and '
    "scaled, weights, the peak of gradients, and momentum; the paper's figures include the context of its GPU. Time is that "
    'of an iteration of {batch} images relative to BP, in turn in one run on {machine}.'
)


class Measured(BaseModel):
    """Peak memory and time of an iteration under one method."""

    gb: Positive
    seconds: Positive


class Costs(BaseModel):
    """The measured part of ``costs.json``."""

    measured: dict[str, Measured] = {}
    batch_size: Count | None = None
    machine: Machine | None = None


def gflops(config: Config) -> float:
    """The cost of one forward pass through the network and its heads."""
    init_default_scope('auglocal_mm')
    with torch.device('meta'):
        return network_cost(MODELS.build(config.model), 32).total / 1e9


def both(ours: float, paper: float) -> str:
    """``ours (paper's)``, with a mark where the printed digits differ."""
    mark = '' if round(ours, 2) == paper else ' *'
    return f'{ours:.2f} ({paper:.2f}){mark}'


def plot(pyramid: dict[int, list[float]]) -> Figure:
    """Cost against decay, one line for each depth."""
    curves = {f'd = {depth}': list(zip(DECAYS, costs, strict=True)) for depth, costs in pyramid.items()}
    return plot_curves(curves, 'ResNet-110, pyramidal depth', 'decay r', 'GFLOPs of one forward pass')


def methods_table(costs: Mapping[str, float], measured: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each method."""
    rows = []
    for name, (*_, flops, gigabytes, extra) in METHODS.items():
        row = [name, both(costs[name], flops), f'not run ({gigabytes:.2f})', f'not run (+{extra} %)' if extra else '']
        if measured:
            more = 100 * (measured[name]['seconds'] / measured['BP']['seconds'] - 1)
            row[2:] = [f'{measured[name]["gb"]:.2f} ({gigabytes:.2f})', f'{more:+.1f} % (+{extra} %)' if extra else '']
        rows.append(row)
    return markdown_table(['', 'GFLOPs', 'memory, GB', 'extra time'], rows)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Memory and time of every method: measured now, read from the folder, or empty.

    Raises:
        InputError: The file in the folder is not complete or not of this form.
    """
    if options.rounds:
        measured = measure_methods(options.batch_size, options.rounds, options.device)
        return {'measured': measured, 'batch_size': options.batch_size, 'machine': machine(options.device)}
    path, advice = options.out / 'costs.json', 'restore it, or measure again with --rounds'
    found = read_json(path, Costs, advice).model_dump(exclude_unset=True) if is_there(path) else {}
    missing = METHODS.keys() - found['measured'] if 'measured' in found else ()
    if missing:
        raise InputError(f'{path} has no {min(missing)} in measured; {advice}')
    return found


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, computes and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the report')
    parser.add_argument(
        '--rounds',
        type=int,
        default=0,
        help='rounds in which memory and time are measured; by default earlier measurements are kept',
    )
    parser.add_argument('--batch-size', type=int, default=64, help='images of a measured iteration')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cuda' if torch.cuda.is_available() else 'cpu')
    options = parser.parse_args(arguments)
    costs = {name: gflops(load(method, depth)) for name, (method, depth, *_) in METHODS.items()}
    pyramid = {depth: [gflops(load('auglocal', depth, decay)) for decay in DECAYS] for depth in PYRAMID}
    measured = measure(options)
    rows = [[f'd={d}', *map(both, pyramid[d], PYRAMID[d])] for d in PYRAMID]
    markdown = '\n\n'.join(
        [
            '# Cost of ResNet-110 under every method',
            NOTE,
            *(
                [
                    MEASURED.format(
                        batch=measured['batch_size'],
                        machine=here['gpu'] or f'{here["processor"]}, {here["cores"]} cores',
                    )
                ]
                if (here := measured.get('machine'))
                else []
            ),
            methods_table(costs, measured.get('measured', {})),
            '## Pyramidal depth',
            markdown_table(['', *(f'r={decay}' for decay in DECAYS)], rows),
            '\\* the printed digits differ.',
        ]
    )
    data = {'gflops': costs, **measured, 'pyramid': pyramid, 'decays': DECAYS}
    write_report(options.out, 'costs', markdown + '\n', data, plot(pyramid))


if __name__ == '__main__':
    main()
