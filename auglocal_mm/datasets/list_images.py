"""Lists the images of a folder with one sub-folder per class, and says what is passed over."""

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

_LEFT_BEHIND = ('__MACOSX', '@eaDir')  # by macOS and by Synology, with copies of images in them


class Found(NamedTuple):
    """An image file; ``real`` is its folder and name behind symbolic links, ``linked`` whether there are any."""

    folder: str
    name: str
    real: tuple[str, str]
    linked: bool

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self.folder, self.name)


class PassedOver(dict[str, list[str]]):
    """The paths that are not images of the data set, by reason."""

    def add(self, reason: str, path: str) -> None:
        """Notes one path."""
        self.setdefault(reason, []).append(path)

    def say(self, root: Path) -> None:
        """Says in one line how many of which kind there are."""
        if self:
            kinds = (f'{len(paths)} {reason} ({os.path.relpath(paths[0], root)})' for reason, paths in self.items())
            print_log(f'{root}: passed over {", ".join(kinds)}', logger='current', level=logging.WARNING)


def list_images(root: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The classes, and the (path, label) of every image, in the order of torchvision's ``ImageFolder``.

    Images have a name that ends as images do, or are looked into. Hidden folders are passed over, and so is what links lead
    to a second time.

    Raises:
        InputError: The folder is missing, is a file or cannot be read, has no classes, or one without images; an image belongs
            to two classes, or a link to one leads nowhere.
    """
    if not os.path.exists(root):
        raise InputError(
            f'the data folder {root} does not exist, expected one folder per class in it; '
            'put the data set there (ImageNet: https://image-net.org/download) or set data_root to where it is'
        )
    if not root.is_dir():
        raise InputError(f'{root} is a file, expected a folder with one folder per class; set data_root to the folder')
    passed_over = PassedOver()
    images, folders = read_folder(str(root), passed_over)
    classes = sorted(folder.name for folder in folders)
    if not classes:
        raise InputError(
            f'{root} has no folders in it, expected one per class; set data_root to the folder of the classes '
            '(tools/dataset_converters/imagenet_val.py sorts the flat validation images of ImageNet)'
        )
    for image in images:
        passed_over.add('images outside the folders of the classes', image.path)
    samples = _each_once([sorted(_walk(os.path.join(root, name), passed_over)) for name in classes], passed_over)
    passed_over.say(root)
    empty = sorted(set(range(len(classes))) - {label for _, label in samples})
    if empty:
        raise InputError(
            f'{len(empty)} class folders of {root} have no image, {classes[empty[0]]} for one; add images '
            f'({", ".join(FORMATS)}) or remove the folders'
        )
    return classes, samples


def read_folder(folder: str, passed_over: PassedOver) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """The images and the folders that lie in ``folder``.

    Raises:
        InputError: It cannot be read, or has a link with the name of an image that leads nowhere.
    """
    images: list[os.DirEntry[str]] = []
    folders: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                reason = _sort(entry, images, folders)
                if reason:
                    passed_over.add(reason, entry.path)
    except OSError as error:
        raise InputError(f'the folder {folder} cannot be read ({error}); make it readable or remove it') from error
    return images, folders


def _sort(entry: os.DirEntry[str], images: list[os.DirEntry[str]], folders: list[os.DirEntry[str]]) -> str:
    """Puts ``entry`` in one of the lists, or says why not."""
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
        if not (_is_named_as_an_image(entry.name) or _holds_an_image(entry.path)):
            return 'files that are no images'
        images.append(entry)
    elif entry.is_symlink():
        if _is_named_as_an_image(entry.name):
            raise InputError(f'the link {entry.path} leads nowhere; restore what it points to or remove it')
        return 'links that lead nowhere'
    else:
        return 'pipes, sockets or devices'
    return ''


@cache
def _endings() -> tuple[str, ...]:
    return tuple(ending for ending, form in Image.registered_extensions().items() if form in FORMATS)


def _is_named_as_an_image(name: str) -> bool:
    return not name.startswith('.') and name.lower().endswith(_endings())


def _holds_an_image(path: str) -> bool:
    with open(path, 'rb') as file, pillow_as_configured_here():
        try:
            return bool(Image.open(file, formats=FORMATS))
        except Exception:  # what PIL raises has no common class
            return False


def _walk(top: str, passed_over: PassedOver) -> Iterator[Found]:
    """The images below ``top``: each real folder once, those behind links last."""
    pending, seen = deque([(top, os.path.islink(top))]), set()
    while pending:
        folder, linked = pending.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            passed_over.add('links to folders that are there already', folder)
            continue
        seen.add(real)
        images, folders = read_folder(folder, passed_over)
        for image in images:
            link = image.is_symlink()
            behind = os.path.split(os.path.realpath(image.path)) if link else (real, image.name)
            yield Found(folder, image.name, behind, linked or link)
        for each in folders:
            if not each.is_symlink():
                pending.appendleft((each.path, linked))
            elif _leads_upwards(each.path):
                passed_over.add('links to folders that hold them', each.path)
            else:
                pending.append((each.path, True))


def _leads_upwards(link: str) -> bool:
    target = os.path.realpath(link)
    return os.path.commonpath([target, os.path.realpath(os.path.dirname(link))]) == target


def _each_once(images: list[list[Found]], passed_over: PassedOver) -> list[tuple[str, int]]:
    """(path, label) of the images of each class, without those that links lead to a second time."""
    if not any(image.linked for each in images for image in each):
        return [(image.path, label) for label, each in enumerate(images) for image in each]
    real = {image.real for each in images for image in each if not image.linked}
    labels: dict[tuple[str, str], int] = {}
    samples = []
    for label, each in enumerate(images):
        for image in each:
            if image.linked and (image.real in real or labels.get(image.real) == label):
                passed_over.add('images that links lead to again', image.path)
                continue
            if image.linked and labels.setdefault(image.real, label) != label:
                raise InputError(
                    f'{image.path} is linked from the folder of another class too; remove one of the links'
                )
            samples.append((image.path, label))
    return samples
