"""The size of an image, from the head of its file."""

from collections.abc import Sequence

from PIL import Image

from auglocal_mm.errors import InputError

TURNED = ('JPEG', 'MPO', 'PNG')
"""Formats that are turned when they are read, as OpenCV does it; Pillow gives the size of a TIFF as it is turned."""
EXIF_ORIENTATION = 0x0112
LYING = 5
"""From this value of the EXIF orientation on, width and height change places."""


def image_size(path: str) -> tuple[int, int] | None:
    """Height and width in pixels of the upright image; ``None`` where it cannot be told, which reading the image says better."""
    try:
        with Image.open(path) as image:
            lying = image.format in TURNED and image.getexif().get(EXIF_ORIENTATION, 1) >= LYING
            return image.size if lying else image.size[::-1]
    except (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        Image.DecompressionBombError,
    ):  # what Pillow raises over damaged files
        return None


def check_size(path: str, found: Sequence[int], expected: Sequence[int], annotations: str = 'the annotations') -> None:
    """Makes sure that the annotations are about an image of this size.

    Args:
        path: Of the image.
        found: Its height and width in pixels.
        expected: Those in the annotations.
        annotations: Their file.

    Raises:
        InputError: They differ.
    """
    if tuple(found) != tuple(expected):
        raise InputError(
            f'image {path} is {found[1]} pixels wide and {found[0]} high, but has width={expected[1]} and '
            f'height={expected[0]} in {annotations}; boxes and masks would lie elsewhere: give the annotations of images of '
            'this size (upright, as their EXIF data say)'
        )
