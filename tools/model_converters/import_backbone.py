"""Takes the ResNet out of a file of torchvision, timm, or the code released with AugLocal and InfoPro, as a backbone file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.checkpoint_file import NETWORK_KEYS, read_weights
from auglocal_mm.weights.foreign_backbone import find_backbone, other_networks


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and writes the backbone and its record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', metavar='SRC', help='file or URL of weights: a pickle of torch.save, or .safetensors')
    parser.add_argument('out', metavar='OUT', help='file to write, by convention backbone.pth, or .safetensors')
    options = parser.parse_args(arguments)
    if Path(options.out).suffix == '.json' or Path(options.out).resolve() == Path(options.source).resolve():
        raise InputError(
            f'OUT is {options.out}, which would overwrite SRC or be overwritten by the record; give another file, by '
            'convention backbone.pth'
        )
    checkpoint = read_weights(options.source)
    found = find_backbone(checkpoint.get('state_dict', checkpoint), options.source)
    meta = {'auglocal_mm': {'architecture': found.architecture}}
    record = write_backbone(options.out, {'state_dict': found.weights, 'meta': meta})
    print(f'{found.architecture}: {options.out}, described in {record}')
    for group, number in found.dropped.items():
        print(f'left out: {group} ({number} tensors)')
    for key, number in other_networks(checkpoint).items():
        taken = f'the first of {", ".join(NETWORK_KEYS)} in the file is used'
        print(f'left out: {key} ({number} tensors), another network; {taken}')


if __name__ == '__main__':
    main()
