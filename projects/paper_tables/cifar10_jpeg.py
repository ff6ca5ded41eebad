"""Unpacks CIFAR-10, stored as JPEG files in .npz (header, body, offsets, labels, classes), into class folders."""

import argparse
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from rich.progress import track

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool


def unpack(source: Path, folder: Path, images: int | None = None) -> None:
    """Writes the first ``images`` images of ``source``, or all, to ``folder/<class>/<index>.jpg``.

    Raises:
        InputError: ``source`` does not exist or is not such a file.
    """
    try:
        with np.load(source) as stored:
            header, body, offsets, labels, classes = (
                stored[key] for key in ('header', 'body', 'offsets', 'labels', 'classes')
            )
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(
            f'{source} is not a .npz with header, body, offsets, labels and classes ({error}); fetch it again'
        ) from error
    if labels.max() >= len(classes) or len(offsets) != len(labels) + 1 or offsets[-1] != len(body):
        raise InputError(f'{source} is damaged: its labels, offsets and body do not match; fetch it again')
    for name in classes:
        (folder / str(name)).mkdir(parents=True, exist_ok=True)
    for index, label in enumerate(track(labels[:images], description=folder.name)):
        picture = header.tobytes() + body[offsets[index] : offsets[index + 1]].tobytes()
        (folder / str(classes[label]) / f'{index:05d}.jpg').write_bytes(picture)


@command_line_tool
def main(arguments: list[str] | None = None) -> None:
    """Unpacks the training and the test images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='folder with cifar10_jpeg_train.npz and cifar10_jpeg_test.npz')
    parser.add_argument('out', type=Path, help='folder to write train/ and test/ to')
    parser.add_argument('--train-images', type=int, help='use only this many training images, the first ones')
    options = parser.parse_args(arguments)
    if options.train_images is not None and options.train_images < 1:
        raise InputError(f'--train-images is {options.train_images}; expected 1 or more')
    unpack(options.source / 'cifar10_jpeg_train.npz', options.out / 'train', options.train_images)
    unpack(options.source / 'cifar10_jpeg_test.npz', options.out / 'test')


if __name__ == '__main__':
    main()
