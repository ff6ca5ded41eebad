"""Reads one image file, whole or not at all."""

import torch
from PIL import Image, ImageFile, ImageOps
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2.functional import pil_to_tensor

from auglocal_mm.errors import InputError


def read_image(path: str, upright: bool = False) -> Tensor:
    """The image at ``path`` in RGB, uint8 of shape (3, H, W).

    Args:
        path: Of the file.
        upright: Whether it is turned as its EXIF data say, as OpenCV does it; torchvision's data sets take the pixels as
            they are stored.

    Raises:
        InputError: The file is missing, corrupt or truncated.
    """
    try:
        image = decode_image(path, ImageReadMode.RGB, apply_exif_orientation=upright)
        # PNGs of 16 bits and animations come in other types and shapes.
        return image if image.dtype == torch.uint8 and image.ndim == 3 else _read_with_pillow(path, upright)
    except (RuntimeError, OSError):  # a format that torchvision does not know, or a damaged file
        return _read_with_pillow(path, upright)


def _read_with_pillow(path: str, upright: bool) -> Tensor:
    """Slower, but it knows all formats, and says what is wrong."""
    # Another library may have switched this on, and would have half an image pass for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(path) as image:
            return pil_to_tensor((ImageOps.exif_transpose(image) if upright else image).convert('RGB'))
    except Exception as error:  # what PIL raises for a corrupt file has no common class
        raise InputError(
            f'image {path} cannot be read: {error}; replace the file, or set skip_corrupt=True where it is loaded'
        ) from error
