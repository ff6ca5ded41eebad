"""Writes the backbone of a checkpoint as a file that torchvision, timm or MMDetection loads, or as a folder to publish."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.hub.folder import write_hub_folder
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.described_weights import read_described_weights
from auglocal_mm.weights.layouts import LAYOUTS


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line.

    Raises:
        InputError: ``out`` is the checkpoint, or its name contradicts an option.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint', help='checkpoint of a classifier or detector, or a backbone.pth with its record beside it'
    )
    parser.add_argument(
        'out', help='file to write, by convention backbone.pth; its record is written beside it as .json'
    )
    parser.add_argument('--format', choices=('pth', 'safetensors'), help='default: that of the name of the file')
    parser.add_argument('--layout', choices=LAYOUTS, help='the library that is to load it strictly')
    parser.add_argument(
        '--hub-folder',
        action='store_true',
        help='out is a new folder: weights (by default safetensors), config.json for timm, and a model card',
    )
    parser.add_argument('--license', metavar='SPDX', help='licence of the weights, for the model card')
    options = parser.parse_args(arguments)
    if Path(options.out).suffix == '.json' or Path(options.out).resolve() == Path(options.checkpoint).resolve():
        raise InputError(
            f'out is {options.out}, which would overwrite the checkpoint or be overwritten by the record; give another '
            'file, by convention backbone.pth'
        )
    if options.license and not options.hub_folder:
        raise InputError(f'--license is {options.license}, but only a model card states it; add --hub-folder')
    if options.license and not re.fullmatch(r'[\w.+-]+', options.license, re.ASCII):
        raise InputError(
            f'--license is {options.license!r}, expected an identifier of SPDX such as apache-2.0 or cc-by-nc-4.0'
        )
    is_safetensors = options.format == 'safetensors'
    if options.format and not options.hub_folder and is_safetensors != (Path(options.out).suffix == '.safetensors'):
        raise InputError(
            f'--format is {options.format}, but out is {options.out}; expected a name that ends in .{options.format}'
        )
    return options


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and writes the file or the folder."""
    options = parse_arguments(arguments)
    checkpoint = read_described_weights(options.checkpoint)
    if options.hub_folder:
        file_format = options.format or 'safetensors'
        write_hub_folder(options.out, checkpoint, options.checkpoint, file_format, options.layout, options.license)
        print(f'{options.out}: read README.md there before you publish it')
    else:
        record = write_backbone(options.out, checkpoint, options.layout)
        print(f'{read_backbone_record(record).architecture}: {options.out}, described in {record}')
    if options.layout == 'mmdet':
        print("The classifier is left out: MMDetection's ResNet has none.")


if __name__ == '__main__':
    main()
