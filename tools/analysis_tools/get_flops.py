"""Counts multiply-adds and parameters of primary and auxiliary networks, for one forward pass of one image."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from auglocal_mm.analysis.multiply_adds import MultiplyAdds, network_cost
from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.analysis.trained_model import read_config
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.registry import MODELS
from auglocal_mm.settings.cfg_options import CfgOptions


def plot(costs: dict[str, MultiplyAdds]) -> Figure:
    """Stacked bars, primary below auxiliary."""
    figure = Figure(figsize=(8, 1 + 0.5 * len(costs)), dpi=150, layout='constrained')
    axes = figure.subplots()
    primary = [cost.primary / 1e9 for cost in costs.values()]
    axes.barh(list(costs), primary, label='primary')
    axes.barh(list(costs), [cost.auxiliary / 1e9 for cost in costs.values()], left=primary, label='auxiliary')
    axes.set(xlabel='GMACs of one forward pass')
    axes.invert_yaxis()
    axes.legend()
    return figure


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, counts and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', help='configs of classifiers')
    parser.add_argument('--image-size', type=int, help="default: the config's model.image_size, or 224")
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='override settings of all configs')
    options = parser.parse_args(arguments)
    stems = [Path(path).stem for path in options.configs]
    costs = {}
    for path in options.configs:
        config = read_config(path, options.cfg_options)
        if options.image_size is not None:
            config.model.image_size = options.image_size
        name = Path(path).stem if stems.count(Path(path).stem) == 1 else path
        costs[name] = network_cost(MODELS.build(config.model), config.model.get('image_size', 224))
    rows = [
        (
            name,
            f'{cost.primary / 1e9:.3f}',
            f'{cost.auxiliary / 1e9:.3f}',
            f'{cost.total / 1e9:.3f}',
            f'{cost.primary_parameters / 1e6:.2f}',
            f'{cost.auxiliary_parameters / 1e6:.2f}',
        )
        for name, cost in costs.items()
    ]
    header = ('config', 'primary GMACs', 'auxiliary GMACs', "paper's GFLOPs", 'primary M parameters', 'auxiliary')
    markdown = f'# Cost of one forward pass\n\n{markdown_table(header, rows)}\n'
    data = {name: {**asdict(cost), 'total': cost.total} for name, cost in costs.items()}
    write_report(options.out, 'flops', markdown, data, plot(costs))


if __name__ == '__main__':
    main()
