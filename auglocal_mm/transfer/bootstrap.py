"""Paired bootstrap over images: every detector is evaluated on the same resamples of the images."""

import numpy as np
from numpy.typing import NDArray


def image_weights(num_images: int, replicates: int, seed: int) -> NDArray[np.int32]:
    """How often each image is in the whole set and in each resample, which draws as many images with replacement.

    Args:
        num_images: Number of images, I.
        replicates: Number of resamples, R.
        seed: Of the random numbers.

    Returns:
        (1 + R, I), the first row all ones.
    """
    drawn = np.random.default_rng(seed).multinomial(num_images, np.full(num_images, 1 / num_images), size=replicates)
    return np.concatenate([np.ones((1, num_images)), drawn], dtype=np.int32, casting='unsafe')
