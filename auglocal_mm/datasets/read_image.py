"""Reads an image file, completely or not at all."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2.functional import pil_to_tensor

from auglocal_mm.datasets.png_check import check_png
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there

# Recognised by their first bytes. Not here: formats without such a signature (TGA) and those that run other programs (EPS).
FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP', 'TIFF', 'PPM', 'AVIF', 'JPEG2000')
MAX_PIXELS = 2 * 89_478_485  # beyond this Pillow considers an image a decompression bomb
_TORCHVISION = ('JPEG', 'MPO', 'PNG', 'WEBP')  # decoded faster by torchvision, to the same pixels


def read_image(path: str, upright: bool = False, max_pixels: int = MAX_PIXELS) -> Tensor:
    """The image at ``path`` in RGB, uint8 of shape (3, H, W).

    The content decides the format, not the name. Of an animation the first frame is read, transparency is dropped, and of
    16 bits the upper eight are kept, as in OpenCV.

    Args:
        path: The file.
        upright: Whether to rotate it by its EXIF orientation, as OpenCV does; torchvision's data sets take the pixels as
            stored.
        max_pixels: Height times width of the largest image to decode.

    Raises:
        InputError: The file is missing, not a regular file, corrupt, truncated, or too large.
    """
    is_there(path)  # refuses pipes and devices
    try:
        with open(path, 'rb') as file, pillow_as_configured_here(), Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(
                    f'it has {image.width} x {image.height} pixels, more than max_pixels={max_pixels} (raise it if that is right)'
                )
            if image.format == 'PNG':
                file.seek(0)
                check_png(file.read())
            if image.format in _TORCHVISION:
                return _read_with_torchvision(file, upright)
            return _read_with_pillow(image, upright)
    except Exception as error:  # what PIL raises for a corrupt file has no common class
        why = f'its format is none of {", ".join(FORMATS)}' if isinstance(error, UnidentifiedImageError) else error
        raise InputError(
            f'image {path} cannot be read: {why}; replace the file, or set skip_corrupt=True in the config that loads it'
        ) from error


@contextmanager
def pillow_as_configured_here() -> Iterator[None]:
    """Disables Pillow's own limit of pixels, and its loading of truncated images."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _read_with_torchvision(file: BinaryIO, upright: bool) -> Tensor:
    file.seek(0)
    data = np.fromfile(file, np.uint8)
    try:
        image = decode_image(torch.from_numpy(data), ImageReadMode.RGB, apply_exif_orientation=upright)
    except RuntimeError:  # an animation, or a damaged file, for which Pillow has better errors
        with Image.open(io.BytesIO(data.tobytes()), formats=FORMATS) as again:
            return _read_with_pillow(again, upright)
    return image if image.dtype == torch.uint8 else (image.to(torch.int32) >> 8).to(torch.uint8)


def _read_with_pillow(image: Image.Image, upright: bool) -> Tensor:
    """Slower, but for all formats."""
    if image.mode == 'F' or (image.mode == 'I' and image.format != 'PPM'):
        raise ValueError(f'its pixels have 32 bits (mode {image.mode}), of unknown range; save it with 8 or 16 bits')
    # Neither torchvision nor OpenCV rotates WebP.
    rotated = ImageOps.exif_transpose(image) if upright and image.format != 'WEBP' else image
    if rotated.mode.startswith('I'):  # 16 bits, which convert would clip
        rotated = Image.fromarray((np.asarray(rotated) >> 8).astype(np.uint8))
    return pil_to_tensor(rotated.convert('RGB'))
