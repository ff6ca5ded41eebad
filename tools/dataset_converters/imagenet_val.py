"""Sorts the flat validation images of ImageNet (or Tiny ImageNet) into one folder per class."""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from auglocal_mm.datasets.list_images import Skipped, read_folder
from auglocal_mm.errors import InputError


def read_labels(path: Path) -> dict[str, str]:
    """Reads the class of each image.

    The first two fields of a line are used, separated by spaces, tabs or commas. This covers plain lists,
    ``LOC_val_solution.csv`` (whose header is skipped) and Tiny ImageNet's ``val_annotations.txt``.

    Returns:
        WordNet id by image name without extension.

    Raises:
        InputError: The file cannot be read, or a line has no image or no WordNet id.
    """
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f'cannot read the labels file {path}: {error}; give the path of a text file') from error
    labels: dict[str, str] = {}
    for line_number, line in enumerate(lines, start=1):
        fields = re.split(r'[\s,]+', line.strip())
        if fields in ([''], ['ImageId', 'PredictionString']):
            continue
        if len(fields) < 2 or not re.fullmatch(r'n\d{8}', fields[1]):
            raise InputError(
                f'{path}, line {line_number}: {line[:60]!r} is not an image name and a WordNet id, such as '
                "'ILSVRC2012_val_00000001.JPEG n01751748'; use a labels file that has both"
            )
        if labels.setdefault(Path(fields[0]).stem, fields[1]) != fields[1]:
            raise InputError(
                f'{path}, line {line_number}: {fields[0]} already has another class; remove one of the two lines'
            )
    return labels


def find_images(folder: Path) -> dict[str, Path]:
    """Lists the images directly in ``folder`` by name without extension, and reports its other files.

    Raises:
        InputError: The folder cannot be read, has no images, or has two with the same name.
    """
    skipped = Skipped()
    paths = sorted(Path(entry.path) for entry in read_folder(str(folder), skipped)[0])
    skipped.log(folder)
    if not paths:
        raise InputError(
            f'{folder} contains no images, expected them directly in it; give the folder of the validation images'
        )
    images: dict[str, Path] = {}
    for path in paths:
        if images.setdefault(path.stem, path) != path:
            raise InputError(f'{path} and {images[path.stem].name} differ only in extension; remove one of them')
    return images


def match(images: dict[str, Path], labels: dict[str, str]) -> None:
    """Checks that every image has a label, and every label an image.

    Raises:
        InputError: An image is missing or has no label.
    """
    missing, unlabelled = sorted(labels.keys() - images.keys()), sorted(images.keys() - labels.keys())
    if missing:
        raise InputError(f'{len(missing)} listed images are missing, such as {missing[0]}; complete the image folder')
    if unlabelled:
        name = images[unlabelled[0]].name
        raise InputError(f'{len(unlabelled)} images have no label, such as {name}; complete the labels file')


def place(image: Path, target: Path, copy: bool) -> None:
    """Creates ``target`` as a hard link to ``image``, or as a copy if requested or if linking fails."""
    if not copy:
        with suppress(OSError):  # another file system, or one without hard links
            os.link(image.resolve(), target)  # a link to a relative symbolic link would dangle
            return
    shutil.copyfile(image, target)


def convert(val_dir: Path, labels_file: Path, out_dir: Path, copy: bool) -> tuple[int, int]:
    """Sorts the images of ``val_dir`` into ``out_dir/<WordNet id>/``, all of them or none.

    Returns:
        The number of images and the number of classes.

    Raises:
        InputError: Images and labels do not match, or ``out_dir`` is not empty or cannot be written.
    """
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise InputError(f'{out_dir} exists and is not an empty folder; remove it or choose another --out')
    labels, images = read_labels(labels_file), find_images(val_dir)
    match(images, labels)
    classes = sorted(set(labels.values()))
    try:
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out_dir.parent, prefix=f'.{out_dir.name}.') as beside:
            staging = Path(beside, out_dir.name)
            for name in classes:
                (staging / name).mkdir(parents=True)
            for stem, image in images.items():
                place(image, staging / labels[stem] / image.name, copy)
            staging.replace(out_dir)
    except OSError as error:
        raise InputError(f'cannot write {out_dir}: {error}; free some space or choose another --out') from error
    return len(images), len(classes)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; exits with status 1 and one line on bad input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('val_dir', type=Path, help='folder that directly contains the images')
    parser.add_argument(
        'labels', type=Path, help='image name and WordNet id per line, LOC_val_solution.csv, or val_annotations.txt'
    )
    parser.add_argument('--out', type=Path, required=True, help='folder to create; must be empty if it exists')
    parser.add_argument('--copy', action='store_true', help='copy the images instead of making hard links')
    args = parser.parse_args(argv)
    try:
        num_images, num_classes = convert(args.val_dir, args.labels, args.out, args.copy)
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(1) from None
    print(f'{num_images} images of {num_classes} classes in {args.out}')


if __name__ == '__main__':
    main()
