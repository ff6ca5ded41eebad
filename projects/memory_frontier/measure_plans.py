"""Measures plans in real training steps at 224 pixels, beside the best checkpointing of backpropagation.

Needs no data and no GPU; a step has two images.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.benchmark.measurement import measure_alone
from auglocal_mm.benchmark.schemes import measure_config, planned_scheme, training_schemes
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import read_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
NETWORKS = {  # config, depth of the ResNet
    'ResNet-34': ('resnet34_auglocal-d5_1xb256-200e_in1k', 34),
    'ResNet-50': ('resnet50_auglocal-d4_1xb128-200e_in1k', 50),
    'ResNet-101': ('resnet101_auglocal-d4_1xb128-200e_in1k', 101),
    'ResNet-152': ('resnet101_auglocal-d4_1xb128-200e_in1k', 152),
}
SHARES = (0.6, 0.5, 0.4, 0.31, 0.3, 0.21, 0.2)
NOTE = (
    'Activations are the peak activation memory of a real step, images included; saved is the peak during backward, without '
    'temporaries of the forward pass; compute is its FLOPs as counted by PyTorch. All are relative to backpropagation, in '
    'float32 at 224 pixels. The last column is the planned compute of backpropagation with the best checkpointing within the '
    'same share of activations.'
)


def load(name: str) -> Config:
    """The layer-wise AugLocal config of a network, with batches of two images."""
    config, depth = NETWORKS[name]
    loaded = Config.fromfile(REPOSITORY / f'configs/auglocal/{config}.py')
    loaded.merge_from_dict({'model.backbone.depth': depth, 'train_dataloader.batch_size': 2, 'model.image_size': 224})
    return loaded


def measure_network(name: str) -> list[dict[str, Any]]:
    """One entry for each training scheme of one network."""
    config = load(name)
    kinds = measure_config(config)
    costs = kinds[0]
    reference = backpropagation(costs)
    schemes = [(scheme, None) for scheme in training_schemes(config, ())]
    schemes += [(planned_scheme(config, kinds, share), share) for share in SHARES]
    entries: list[dict[str, Any]] = []
    for scheme, share in track(schemes, description=name):
        entry: dict[str, Any] = {'name': scheme.name, 'note': scheme.note}
        if scheme.config is not None:
            measured = measure_alone(scheme, 1, 'cpu')
            assert not isinstance(measured, str), measured
            keys = ('activations', 'saved_activations', 'flops', 'gradients')
            entry |= {key: getattr(measured, key) for key in keys}
        rival = cheapest_plan(costs, share * reference.activations, max_modules=1) if share else None
        entries.append({**entry, 'backpropagation': rival.compute / reference.compute if rival else None})
    return entries


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A row for each scheme, relative to the first, which is backpropagation."""
    rows = []
    for entry in entries:
        possible = 'flops' in entry
        rows.append(
            (
                entry['name'],
                entry['note'].split(';')[0],
                *(
                    f'{entry[key] / entries[0][key]:.3f}x' if possible else 'none'
                    for key in ('activations', 'saved_activations', 'flops')
                ),
                f'{entry["backpropagation"]:.3f}x' if entry['backpropagation'] else '',
            )
        )
    return markdown_table(('', 'plan', 'activations', 'saved', 'compute', 'BP at the same budget'), rows)


def plot(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Compute against activations of every plan, and of backpropagation at the same budget."""
    figure = Figure(figsize=(4 * len(results), 4), dpi=150, layout='constrained')
    for axes, (name, entries) in zip(figure.subplots(1, len(results), squeeze=False)[0], results.items(), strict=True):
        base = entries[0]
        plans = [each for each in entries if each['name'].startswith('plan') and 'flops' in each]
        shares = [each['activations'] / base['activations'] for each in plans]
        axes.plot(shares, [each['flops'] / base['flops'] for each in plans], 'o-', label='plan, measured')
        rivals = [
            (x, each['backpropagation']) for x, each in zip(shares, plans, strict=True) if each['backpropagation']
        ]
        axes.plot(*zip(*rivals, strict=True), 's--', label='BP with checkpointing')
        axes.set(title=name, xlabel='activations, relative to BP', ylabel='FLOPs of a step, relative to BP')
        axes.legend()
    return figure


def write(folder: Path, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Writes all networks measured so far, as data, tables and a figure."""
    sections = [part for name, entries in results.items() for part in (f'## {name}', table(entries))]
    text = '\n\n'.join(['# Plans in real steps', NOTE, *sections]) + '\n'
    write_report(folder, 'plans', text, results, plot(results))


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'networks',
        nargs='*',
        default=list(NETWORKS),
        help=f'any of {", ".join(NETWORKS)}; default: all. Earlier measurements of the others stay in the report',
    )
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the report')
    options = parser.parse_args(arguments)
    init_default_scope('auglocal_mm')
    unknown = set(options.networks) - set(NETWORKS)
    if unknown:
        raise InputError(f'the network {sorted(unknown)[0]} is unknown; choose from {", ".join(NETWORKS)}')
    path = options.out / 'plans.json'
    known = read_json(path, dict[str, list[dict[str, Any]]], 'restore or remove it') if is_there(path) else {}
    for network in options.networks:
        known[network] = measure_network(network)
        write(options.out, {name: known[name] for name in NETWORKS if name in known})


if __name__ == '__main__':
    main()
