"""Images for MMDetection's pipelines."""

import warnings
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from auglocal_mm.datasets.image_size import check_size
from auglocal_mm.datasets.read_image import MAX_PIXELS, read_image
from auglocal_mm.errors import InputError
from auglocal_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageFromFile(BaseTransform):
    """Loads ``img_path`` as mmcv's transform of the same name, rotated by its EXIF orientation.

    A truncated image, which OpenCV fills with grey, is an error.

    Args:
        skip_corrupt: Whether an image that cannot be read is left out, with a warning, instead of an error. The data set
            replaces it with another one, in training only.
        max_pixels: Height times width of the largest image that is read.

    Raises:
        InputError: The image cannot be read, or does not have the size in its annotations.
    """

    def __init__(self, skip_corrupt: bool = False, max_pixels: int = MAX_PIXELS) -> None:
        self.skip_corrupt, self.max_pixels = skip_corrupt, max_pixels

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Adds ``img``, uint8 of shape (H, W, 3) in BGR, ``img_shape`` and ``ori_shape``."""
        path = results['img_path']
        try:
            image = read_image(path, upright=True, max_pixels=self.max_pixels).permute(1, 2, 0).numpy()[..., ::-1]
        except InputError as error:
            if not self.skip_corrupt:
                raise
            warnings.warn(f'{path} is corrupt and left out: {error.__cause__}', stacklevel=2)
            return None
        if 'height' in results:
            check_size(path, image.shape[:2], (results['height'], results['width']))
        return {
            **results,
            'img': np.ascontiguousarray(image),
            'img_shape': image.shape[:2],
            'ori_shape': image.shape[:2],
        }
