"""The size of an image, from the header of its file."""

from collections.abc import Sequence

from PIL import Image

from auglocal_mm.errors import InputError

ROTATED = ('JPEG', 'MPO', 'PNG')
"""Formats rotated by their EXIF orientation when read, as in OpenCV; Pillow already rotates the size of a TIFF."""
EXIF_ORIENTATION = 0x0112
TRANSPOSED = 5
"""EXIF orientations from this value on swap width and height."""


def image_size(path: str) -> tuple[int, int] | None:
    """Height and width in pixels of the upright image; ``None`` if the file is damaged, which :func:`read_image` reports."""
    try:
        with Image.open(path) as image:
            transposed = image.format in ROTATED and image.getexif().get(EXIF_ORIENTATION, 1) >= TRANSPOSED
            return image.size if transposed else image.size[::-1]
    except (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        Image.DecompressionBombError,
    ):  # what Pillow raises for damaged files
        return None


def check_size(path: str, found: Sequence[int], expected: Sequence[int], annotations: str = 'the annotations') -> None:
    """Checks that an image has the size given in its annotations.

    Args:
        path: The image.
        found: Its height and width in pixels.
        expected: Height and width in the annotations.
        annotations: The annotation file.

    Raises:
        InputError: They differ.
    """
    if tuple(found) != tuple(expected):
        raise InputError(
            f'image {path} is {found[1]} pixels wide and {found[0]} high, but has width={expected[1]} and '
            f'height={expected[0]} in {annotations}; boxes and masks would be misplaced; give annotations of images of '
            'this size (after rotation by their EXIF orientation)'
        )
