"""Writes the backbone of a checkpoint as a file that torchvision's and MMDetection's ResNets load."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.load_weights import resnet_architecture


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a classifier or detector')
    parser.add_argument(
        'out', help='file to write, by convention backbone.pth; its record is written beside it as .json'
    )
    options = parser.parse_args(arguments)
    if Path(options.out).suffix == '.json' or Path(options.out).resolve() == Path(options.checkpoint).resolve():
        raise InputError(
            f'out is {options.out}, which would overwrite the checkpoint or be overwritten by the record; give another '
            'file, by convention backbone.pth'
        )
    checkpoint = read_weights(options.checkpoint)
    record = write_backbone(options.out, checkpoint)
    print(f'{resnet_architecture(read_weights(options.out))}: {options.out}, described in {record}')


if __name__ == '__main__':
    main()
