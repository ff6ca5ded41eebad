"""Lists the images of a folder with one subfolder per class, and logs what is skipped."""

import errno
import logging
import os
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log
from PIL import Image

from auglocal_mm.datasets.read_image import FORMATS, pillow_as_configured_here
from auglocal_mm.errors import InputError

_LEFT_BEHIND = ('__MACOSX', '@eaDir')  # by macOS and Synology, with copies of images


class Found(NamedTuple):
    """An image file; ``real`` is its folder and name with symbolic links resolved, ``linked`` whether there are any."""

    folder: str
    name: str
    real: tuple[str, str]
    linked: bool

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.folder, self.name)


class Skipped(dict[str, list[str]]):
    """The skipped paths, by reason."""

    def add(self, reason: str, path: str) -> None:
        """Adds one path."""
        self.setdefault(reason, []).append(path)

    def log(self, root: Path) -> None:
        """Logs in one line how many paths were skipped for each reason, with an example."""
        if self:
            kinds = (f'{len(paths)} {reason} ({os.path.relpath(paths[0], root)})' for reason, paths in self.items())
            print_log(f'{root}: skipped {", ".join(kinds)}', logger='current', level=logging.WARNING)


def list_images(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The classes, and the (path, label) of every image, in the order of torchvision's ``ImageFolder``.

    Images are recognised by the extension of their name, else by their content. Hidden folders are skipped, and so are links
    to images that are listed already.

    Raises:
        InputError: The folder is missing, is a file, cannot be read, has no classes, or has a class without images; or an
            image belongs to two classes, or is a broken link.
    """
    if not os.path.exists(root):
        raise InputError(
            f'the data folder {root} does not exist, expected a folder with one folder per class; '
            'put the data set there (ImageNet: https://image-net.org/download), or correct data_root, in the configs for '
            'ImageNet by the environment variable IMAGENET'
        )
    if not root.is_dir():
        raise InputError(f'{root} is a file, expected a folder with one folder per class; set data_root to the folder')
    skipped = Skipped()
    images, folders = read_folder(str(root), skipped)
    classes = sorted(folder.name for folder in folders)
    if not classes:
        raise InputError(
            f'{root} has no folders, expected one per class; set data_root to the folder of the classes '
            '(tools/dataset_converters/imagenet_val.py sorts the flat validation images of ImageNet)'
        )
    for image in images:
        skipped.add('images outside the class folders', image.path)
    samples = _each_once([sorted(_walk(os.path.join(root, name), skipped)) for name in classes], skipped)
    skipped.log(root)
    empty = sorted(set(range(len(classes))) - {label for _, label in samples})
    if empty:
        raise InputError(
            f'{len(empty)} class folders of {root} have no images, such as {classes[empty[0]]}; add images '
            f'({", ".join(FORMATS)}) or remove the folders'
        )
    return classes, samples


def read_folder(folder: str, skipped: Skipped) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """The images and the folders in ``folder``.

    Raises:
        InputError: It cannot be read, or has a broken link with the name of an image.
    """
    images: list[os.DirEntry[str]] = []
    folders: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                reason = _sort(entry, images, folders)
                if reason:
                    skipped.add(reason, entry.path)
    except OSError as error:
        raise InputError(f'the folder {folder} cannot be read ({error}); make it readable or remove it') from error
    return images, folders


def _sort(entry: os.DirEntry[str], images: list[os.DirEntry[str]], folders: list[os.DirEntry[str]]) -> str:
    """Adds ``entry`` to one of the lists, or returns the reason to skip it."""
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        is_folder = is_file = False  # a link to itself
    if is_folder:
        if entry.name.startswith('.') or entry.name in _LEFT_BEHIND:
            return 'hidden folders'
        folders.append(entry)
    elif is_file:
        if not (_has_image_extension(entry.name) or _has_image_content(entry.path)):
            return 'files that are not images'
        images.append(entry)
    elif entry.is_symlink():
        if _has_image_extension(entry.name):
            raise InputError(f'the link {entry.path} is broken; restore its target or remove it')
        return 'broken links'
    else:
        return 'pipes, sockets or devices'
    return ''


@cache
def _extensions() -> tuple[str, ...]:
    return tuple(extension for extension, form in Image.registered_extensions().items() if form in FORMATS)


def _has_image_extension(name: str) -> bool:
    return not name.startswith('.') and name.lower().endswith(_extensions())


def _has_image_content(path: str) -> bool:
    with open(path, 'rb') as file, pillow_as_configured_here():
        try:
            return bool(Image.open(file, formats=FORMATS))
        except Exception:  # what PIL raises has no common class
            return False


def _walk(top: str, skipped: Skipped) -> Iterator[Found]:
    """The images below ``top``: each real folder once, linked folders last."""
    pending, seen = deque([(top, os.path.islink(top))]), set()
    while pending:
        folder, linked = pending.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            skipped.add('links to folders that are listed already', folder)
            continue
        seen.add(real)
        images, folders = read_folder(folder, skipped)
        for image in images:
            link = image.is_symlink()
            target = os.path.split(os.path.realpath(image.path)) if link else (real, image.name)
            yield Found(folder, image.name, target, linked or link)
        for each in folders:
            if not each.is_symlink():
                pending.appendleft((each.path, linked))
            elif _leads_upwards(each.path):
                skipped.add('links to parent folders', each.path)
            else:
                pending.append((each.path, True))


def _leads_upwards(link: str) -> bool:
    target = os.path.realpath(link)
    return os.path.commonpath([target, os.path.realpath(os.path.dirname(link))]) == target


def _each_once(images: list[list[Found]], skipped: Skipped) -> list[tuple[str, int]]:
    """(path, label) of the images of each class, without links to images that are listed already."""
    if not any(image.linked for each in images for image in each):
        return [(image.path, label) for label, each in enumerate(images) for image in each]
    real = {image.real for each in images for image in each if not image.linked}
    labels: dict[tuple[str, str], int] = {}
    samples = []
    for label, each in enumerate(images):
        for image in each:
            if image.linked and (image.real in real or labels.get(image.real) == label):
                skipped.add('images that are listed already', image.path)
                continue
            if image.linked and labels.setdefault(image.real, label) != label:
                raise InputError(
                    f'{image.path} is also linked from the folder of another class; remove one of the links'
                )
            samples.append((image.path, label))
    return samples
