"""Writes the backbone of a checkpoint as a file that torchvision, timm or MMDetection loads."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.layouts import LAYOUTS


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a classifier or detector')
    parser.add_argument(
        'out', help='file to write, by convention backbone.pth; its record is written beside it as .json'
    )
    parser.add_argument('--format', choices=('pth', 'safetensors'), help='default: that of the name of the file')
    parser.add_argument('--layout', choices=LAYOUTS, help='the library that is to load it strictly')
    options = parser.parse_args(arguments)
    if Path(options.out).suffix == '.json' or Path(options.out).resolve() == Path(options.checkpoint).resolve():
        raise InputError(
            f'out is {options.out}, which would overwrite the checkpoint or be overwritten by the record; give another '
            'file, by convention backbone.pth'
        )
    if options.format and (options.format == 'safetensors') != (Path(options.out).suffix == '.safetensors'):
        raise InputError(
            f'--format is {options.format}, but out is {options.out}; expected a name that ends in .{options.format}'
        )
    checkpoint = read_weights(options.checkpoint)
    record = write_backbone(options.out, checkpoint, options.layout)
    print(f'{read_backbone_record(record).architecture}: {options.out}, described in {record}')
    if options.layout == 'mmdet':
        print("The classifier is left out: MMDetection's ResNet has none.")


if __name__ == '__main__':
    main()
