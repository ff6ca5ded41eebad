"""Reads one image file, whole or not at all."""

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

# What a file is, its first bytes say. Formats without such bytes (TGA), and those that run other programs (EPS), are left out.
FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP', 'TIFF', 'PPM', 'AVIF', 'JPEG2000')
MAX_PIXELS = 2 * 89_478_485  # from here on Pillow takes an image for a decompression bomb
_TORCHVISION = ('JPEG', 'MPO', 'PNG', 'WEBP')  # decoded faster there, to the same pixels


def read_image(path: str, upright: bool = False, max_pixels: int = MAX_PIXELS) -> Tensor:
    """The image at ``path`` in RGB, uint8 of shape (3, H, W).

    The format is that of the content, whatever the name. Of an animation the first frame is read, transparency is dropped,
    and of 16 bits the upper eight are kept, as OpenCV does it.

    Args:
        path: Of the file.
        upright: Whether it is turned as its EXIF data say, as OpenCV does it; torchvision's data sets take the pixels as
            they are stored.
        max_pixels: Height times width of the largest image that is decoded.

    Raises:
        InputError: The file is missing, not a regular file, corrupt, truncated, or too large.
    """
    is_there(path)  # refuses pipes and devices
    try:
        with open(path, 'rb') as file, pillow_as_configured_here(), Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ValueError(
                    f'it has {image.width} x {image.height} pixels, more than max_pixels={max_pixels}, which can be raised'
                )
            if image.format == 'PNG':
                file.seek(0)
                check_png(file.read())
            if image.format in _TORCHVISION:
                return _read_with_torchvision(file, upright)
            return _read_with_pillow(image, upright)
    except Exception as error:  # what PIL raises for a corrupt file has no common class
        why = f'it is none of {", ".join(FORMATS)}' if isinstance(error, UnidentifiedImageError) else error
        raise InputError(
            f'image {path} cannot be read: {why}; replace the file, or set skip_corrupt=True where it is loaded'
        ) from error


@contextmanager
def pillow_as_configured_here() -> Iterator[None]:
    """Switches off Pillow's own limit, and what would have half an image pass for a whole one."""
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
    except RuntimeError:  # an animation, or a damaged file, of which Pillow says what is wrong
        with Image.open(io.BytesIO(data.tobytes()), formats=FORMATS) as again:
            return _read_with_pillow(again, upright)
    return image if image.dtype == torch.uint8 else (image.to(torch.int32) >> 8).to(torch.uint8)


def _read_with_pillow(image: Image.Image, upright: bool) -> Tensor:
    """Slower, but it knows all formats."""
    if image.mode == 'F' or (image.mode == 'I' and image.format != 'PPM'):
        raise ValueError(f'its pixels have 32 bits (mode {image.mode}), of unknown range; save it with 8 or 16 bits')
    # WebP is turned neither by torchvision nor by OpenCV.
    turned = ImageOps.exif_transpose(image) if upright and image.format != 'WEBP' else image
    if turned.mode.startswith('I'):  # 16 bits, which convert would clip
        turned = Image.fromarray((np.asarray(turned) >> 8).astype(np.uint8))
    return pil_to_tensor(turned.convert('RGB'))
