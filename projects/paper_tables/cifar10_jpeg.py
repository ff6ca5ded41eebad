"""Writes CIFAR-10 that is stored as JPEG files in .npz (header, body, offsets, labels, classes) into class folders."""

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

from auglocal_mm.engine.launch import command_line_tool
from auglocal_mm.errors import InputError


def unpack(source: Path, folder: Path) -> None:
    """Writes every image of ``source`` to ``folder/<class>/<number>.jpg``.

    Raises:
        InputError: ``source`` is not there or not such a file.
    """
    try:
        with np.load(source) as stored:
            header, body, offsets, labels, classes = (
                stored[key] for key in ('header', 'body', 'offsets', 'labels', 'classes')
            )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f'{source} is no .npz with header, body, offsets, labels and classes ({error})') from error
    for name in classes:
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
    for index, label in enumerate(track(labels, description=folder.name)):
        picture = header.tobytes() + body[offsets[index] : offsets[index + 1]].tobytes()
        (folder / str(classes[label]) / f'{index:05d}.jpg').write_bytes(picture)


@command_line_tool
def main(arguments: list[str] | None = None) -> None:
    """Unpacks the training and the test images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='folder with cifar10_jpeg_train.npz and cifar10_jpeg_test.npz')
    parser.add_argument('out', type=Path, help='folder to write train/ and test/ to')
    options = parser.parse_args(arguments)
    for split in ('train', 'test'):
        unpack(options.source / f'cifar10_jpeg_{split}.npz', options.out / split)


if __name__ == '__main__':
    main()
