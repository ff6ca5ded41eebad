"""Reads one image file, whole or not at all."""

import torch
from PIL import Image, ImageFile
from torch import Tensor
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2.functional import pil_to_tensor

from auglocal_mm.errors import InputError


def read_image(path: str) -> Tensor:
    """The image at ``path`` in RGB, uint8 of shape (3, H, W), as its pixels are stored.

    Raises:
        InputError: The file is missing, corrupt or truncated.
    """
    try:
        image = decode_image(path, ImageReadMode.RGB)
        # PNGs of 16 bits and animations come in other types and shapes.
        return image if image.dtype == torch.uint8 and image.ndim == 3 else _read_with_pillow(path)
    except (RuntimeError, OSError):  # a format that torchvision does not know, or a damaged file
        return _read_with_pillow(path)


def _read_with_pillow(path: str) -> Tensor:
    """Slower, but it knows all formats, and says what is wrong."""
    # Another library may have switched this on, and would have half an image pass for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(path) as image:
            return pil_to_tensor(image.convert('RGB'))
    except Exception as error:  # what PIL raises for a corrupt file has no common class
        raise InputError(
            f'image {path} cannot be read: {error}; replace the file, or set skip_corrupt=True where it is loaded'
        ) from error
