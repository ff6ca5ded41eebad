"""Measures the memory of the paper's ImageNet trainings, summed over eight GPUs; needs no data and no GPU."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from method_costs import REPOSITORY, memory
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.benchmark.measurement import measure_alone
from auglocal_mm.benchmark.schemes import Scheme
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool

HERE = Path(__file__).parent
GPUS = 8
PAPER = {  # config; GB as printed
    ('ResNet-34', 'BP'): ('bp/resnet34_bp_8xb128-200e_in1k', 42.95),
    ('ResNet-34', 'AugLocal d=5'): ('auglocal/resnet34_auglocal-d5_8xb128-200e_in1k', 29.04),
    ('ResNet-101', 'BP'): ('bp/resnet101_bp_8xb64-200e_in1k', 157.12),
    ('ResNet-101', 'AugLocal d=4'): ('auglocal/resnet101_auglocal-d4_8xb64-200e_in1k', 97.65),
}
NOTE = (
    'GB summed over eight GPUs, float32, 224 pixels: activations, measured in a real step of two images and scaled to the '
    'batch, and on every GPU weights, the peak of gradients, and momentum. In brackets the figures of arXiv 2402.17318, '
    'which may include other memory of its GPUs, such as their context. It does not give the depth d for ResNet-101; its '
    'figure for backpropagation there is more than twice the one computed here for 64 images per GPU.'
)


def gigabytes(name: str) -> float:
    """Peak memory of one training in GB, over all GPUs.

    Args:
        name: Name of its config.
    """
    config = Config.fromfile(REPOSITORY / f'configs/{name}.py')
    batch = config.train_dataloader.batch_size
    config.merge_from_dict({'train_dataloader.batch_size': 2, 'model.image_size': 224})
    measured = measure_alone(Scheme(name, config), 1, 'cpu')
    if isinstance(measured, str):
        raise InputError(f'{name} cannot be measured: {measured}')
    return GPUS * memory(measured, batch)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder for the report')
    options = parser.parse_args(arguments)
    init_default_scope('auglocal_mm')
    data = [
        {'network': network, 'training': training, 'gb': gigabytes(config), 'paper': paper}
        for (network, training), (config, paper) in track(PAPER.items(), description='measuring')
    ]
    bases = {each['network']: each for each in data if each['training'] == 'BP'}
    rows = []
    for each in data:
        ours, paper = (each[key] / bases[each['network']][key] for key in ('gb', 'paper'))
        rows.append(
            (
                each['network'],
                each['training'],
                f'{each["gb"]:.2f} ({each["paper"]:.2f})',
                f'{ours:.2f}x ({paper:.2f}x)',
            )
        )
    table = markdown_table(('', '', 'memory, GB', 'relative to BP'), rows)
    write_report(options.out, 'imagenet_memory', f'# ImageNet: memory\n\n{NOTE}\n\n{table}\n', data, None)


if __name__ == '__main__':
    main()
