"""Measures how linearly separable the classes are at every local layer of a trained, frozen classifier."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.analysis import labelled_batches, load_classifier, plot_curves, probe_layers, read_config
from auglocal_mm.analysis.tables import markdown_table, write_report
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.settings.cfg_options import CfgOptions


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, fits all probes in one pass, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a classifier')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--images', type=int, default=1 << 62, help='number of images of each data set, drawn at random; default: all'
    )
    parser.add_argument(
        '--penalty', type=float, default=1e-3, help='penalty of the ridge regression, per image; default: %(default)s'
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='override settings of the config')
    options = parser.parse_args(arguments)
    config = read_config(options.config, options.cfg_options)
    if not config.get('val_dataloader'):
        raise InputError(f'{options.config} has no val_dataloader, from which the probes take their images; add one')
    model = load_classifier(config, options.checkpoint)
    # The probes are fitted on training images without augmentation.
    train = {**config.val_dataloader, 'dataset': {**config.val_dataloader.dataset, 'split': 'train'}}
    probed = probe_layers(
        model,
        labelled_batches(train, options.images, model, 'training'),
        labelled_batches(config.val_dataloader, options.images, model),
        options.penalty,
    )
    names = [layer.name for layer in model.layers]
    table = markdown_table(('local layer', 'top-1'), [(n, f'{a:.2f}') for n, a in zip(names, probed.top1, strict=True)])
    title = f'Linear probes of {Path(options.config).stem}'
    counts = f'Fitted on {probed.fitted_on} images, measured on {probed.measured_on}.'
    figure = plot_curves({'top-1': list(enumerate(probed.top1, 1))}, title, 'local layer', 'top-1 of a linear probe, %')
    data = {
        'config': options.config,
        'layers': names,
        'top1': probed.top1,
        'train_images': probed.fitted_on,
        'images': probed.measured_on,
    }
    write_report(options.out, 'linear_probe', f'# {title}\n\n{table}\n\n{counts}\n', data, figure)


if __name__ == '__main__':
    main()
