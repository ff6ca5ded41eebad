"""Computes the FLOPs of the paper's ResNet-110 tables; needs no data and no GPU."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from study import HERE, REPOSITORY

from auglocal_mm.analysis.layer_plots import plot_curves
from auglocal_mm.analysis.multiply_adds import network_cost
from auglocal_mm.analysis.report import markdown_table, write_report
from auglocal_mm.engine.launch import command_line_tool
from auglocal_mm.registry import MODELS

RIVALS = {'BP': ('bp', 0.25), 'PredSim': ('predsim', 0.25), 'DGL': ('dgl', 0.26), 'InfoPro': ('infopro', 0.34)}
MAIN = {2: 0.63, 3: 0.69, 4: 0.80, 5: 0.98, 6: 1.13}
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
    'convolutions and linear layers, and two for each element that a BatchNorm normalises. This convention, found by '
    'matching, is that of fvcore in evaluation mode. What only a loss needs (decoders, similarity) is not counted. '
    'The figure in brackets is the one printed in arXiv 2402.17318.'
)


def gflops(config: str, **settings: object) -> float:
    """The cost of one config with some settings changed, by dotted key."""
    loaded = Config.fromfile(REPOSITORY / 'configs' / config)
    loaded.merge_from_dict(settings)
    init_default_scope('auglocal_mm')
    with torch.device('meta'):
        return network_cost(MODELS.build(loaded.model), 32).total / 1e9


def auglocal(depth: int, decay: float) -> float:
    """AugLocal at one depth, trimmed as on small images."""
    settings = {
        'model.auxiliary_heads.depth': depth,
        'model.auxiliary_heads.pyramid': decay,
        'model.partition.last_module_layers': depth,
    }
    return gflops('auglocal/resnet110_auglocal-d5_1xb1024-400e_cifar10.py', **settings)


def both(ours: float, paper: float) -> str:
    """``ours (paper's)``, with a mark where the printed digits differ."""
    mark = '' if round(ours, 2) == paper else ' *'
    return f'{ours:.2f} ({paper:.2f}){mark}'


def plot(pyramid: dict[int, list[float]]) -> Figure:
    """Cost against decay, one line for each depth."""
    curves = {f'd = {depth}': list(zip(DECAYS, costs, strict=True)) for depth, costs in pyramid.items()}
    return plot_curves(curves, 'ResNet-110, pyramidal depth', 'decay r', 'GFLOPs of one forward pass')


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, computes and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the report')
    options = parser.parse_args(arguments)
    rivals = {name: gflops(f'{rule}/resnet110_{rule}_1xb1024-400e_cifar10.py') for name, (rule, _) in RIVALS.items()}
    main_table = {depth: auglocal(depth, 0.5) for depth in MAIN}
    pyramid = {depth: [auglocal(depth, decay) for decay in DECAYS] for depth in PYRAMID}
    costs = {name: both(cost, RIVALS[name][1]) for name, cost in rivals.items()}
    costs |= {f'd={depth}': both(cost, MAIN[depth]) for depth, cost in main_table.items()}
    rows = [[f'd={d}', *map(both, pyramid[d], PYRAMID[d])] for d in PYRAMID]
    markdown = '\n\n'.join(
        [
            '# Cost of ResNet-110 under every rule',
            NOTE,
            markdown_table(list(costs), [list(costs.values())]),
            '## Pyramidal depth',
            markdown_table(['', *(f'r={decay}' for decay in DECAYS)], rows),
            '\\* the printed digits differ.',
        ]
    )
    data = {'rules': rivals, 'auglocal': main_table, 'pyramid': pyramid, 'decays': DECAYS}
    write_report(options.out, 'costs', markdown + '\n', data, plot(pyramid))


if __name__ == '__main__':
    main()
