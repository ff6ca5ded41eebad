"""Compares the local layers of two trained classifiers of equal depth by linear CKA."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.analysis import labelled_batches, layer_cka, load_classifier, plot_heat_map, read_config
from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.settings.cfg_options import CfgOptions


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, compares and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('first_config', help='config of a classifier')
    parser.add_argument('first_checkpoint', help='its checkpoint')
    parser.add_argument('second_config', help='config of a classifier of equal depth')
    parser.add_argument('second_checkpoint', help='its checkpoint')
    parser.add_argument(
        '--names', nargs=2, default=('first', 'second'), help='names in the figure; default: first second'
    )
    parser.add_argument(
        '--images',
        type=int,
        default=2000,
        help='number of validation images of the first config, drawn at random; default: %(default)s',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='override settings of both configs')
    options = parser.parse_args(arguments)
    configs = [read_config(path, options.cfg_options) for path in (options.first_config, options.second_config)]
    checkpoints = (options.first_checkpoint, options.second_checkpoint)
    models = [load_classifier(config, path) for config, path in zip(configs, checkpoints, strict=True)]
    depths = [len(model.layers) for model in models]
    if depths[0] != depths[1]:
        raise InputError(
            f'{options.names[0]} has {depths[0]} local layers and {options.names[1]} has {depths[1]}; expected networks '
            'of equal depth, give two such configs'
        )
    sizes = [config.model.get('image_size', 224) for config in configs]
    if sizes[0] != sizes[1]:
        raise InputError(
            f'{options.names[0]} was trained on images of {sizes[0]} pixels and {options.names[1]} on {sizes[1]}; expected '
            'the same size, give two such configs'
        )
    values = layer_cka(*models, labelled_batches(configs[0].val_dataloader, options.images, models[0]))
    names = [layer.name for layer in models[0].layers]
    equal = values.diagonal().tolist()
    table = markdown_table(
        ('local layer', 'CKA'), [(name, f'{value:.3f}') for name, value in zip(names, equal, strict=True)]
    )
    mean = sum(equal) / len(equal)
    title = f'Linear CKA, {options.names[0]} and {options.names[1]}'
    markdown = f'# {title}\n\n{table}\n\nMean over local layers: {mean:.3f}\n'
    data = {'names': options.names, 'layers': names, 'cka': values.tolist(), 'mean_of_equal_layers': mean}
    write_report(options.out, 'cka', markdown, data, plot_heat_map(values, *options.names, title))


if __name__ == '__main__':
    main()
