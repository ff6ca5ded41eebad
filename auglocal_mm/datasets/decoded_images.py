"""Images that are decoded once and kept in shared memory."""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from auglocal_mm.datasets.read_image import pillow_as_configured_here, read_image
from auglocal_mm.errors import InputError

_CHUNK = 2048  # images that are decoded before they are joined
_SAMPLED = 100  # images whose mean size is taken as that of all


class DecodedImages:
    """The pixels of all images, of any sizes, in one tensor in shared memory, which workers and copies do not duplicate.

    Args:
        paths: The files.
        skip_corrupt: Whether to leave out an image that cannot be read.
        max_pixels: As for :func:`read_image`.

    Raises:
        InputError: The images do not fit into memory, or one is corrupt.
    """

    def __init__(self, paths: Sequence[str], skip_corrupt: bool, max_pixels: int) -> None:
        self._skip_corrupt, self._max_pixels = skip_corrupt, max_pixels
        self._check_memory(paths)
        starts = range(0, len(paths), _CHUNK)
        # Around the pool, because one thread would restore Pillow's own configuration while another decodes.
        with pillow_as_configured_here(), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            chunks = [self._decode_chunk(pool, paths[start : start + _CHUNK]) for start in starts]
        shapes, pixels = zip(*chunks, strict=True)
        self._shapes = torch.cat(shapes)
        self._ends = self._shapes.prod(1).cumsum(0)
        self._pixels = torch.empty(int(self._ends[-1]), dtype=torch.uint8).share_memory_()
        torch.cat(pixels, out=self._pixels)

    def __deepcopy__(self, memo: dict[int, Any]) -> 'DecodedImages':
        """The same object, which never changes."""
        return self

    def __getitem__(self, index: int) -> Tensor | None:
        """A copy of an image, with the strides that the decoder gives it; ``None`` if it was left out."""
        (channels, height, width), end = self._shapes[index].tolist(), int(self._ends[index])
        pixels = self._pixels[end - channels * height * width : end].clone()
        return pixels.view(height, width, channels).permute(2, 0, 1) if len(pixels) else None

    def _decode_chunk(self, pool: ThreadPoolExecutor, paths: Sequence[str]) -> tuple[Tensor, Tensor]:
        """The shapes (N, 3) and the joined pixels of some images."""
        images = list(pool.map(self._decode, paths))
        pixels = torch.cat([image.permute(1, 2, 0).flatten() for image in images])
        return torch.tensor([image.shape for image in images]), pixels

    def _decode(self, path: str) -> Tensor:
        """The image at ``path``, without pixels if it is corrupt and left out."""
        try:
            return read_image(path, max_pixels=self._max_pixels)
        except InputError:
            if not self._skip_corrupt:
                raise
            return torch.empty(3, 0, 0, dtype=torch.uint8)

    def _check_memory(self, paths: Sequence[str]) -> None:
        sampled = paths[:: max(1, len(paths) // _SAMPLED)]
        needed = sum(self._decode(path).nbytes for path in sampled) * len(paths) // len(sampled)
        free = available_memory()
        if needed > free:
            raise InputError(
                f'in_memory is True, but {len(paths)} decoded images such as {paths[0]} need about {needed / 1e9:.3g} GB, and '
                f'{free / 1e9:.3g} GB are available (half of the free memory, as they are joined, and at most /dev/shm); set '
                'in_memory to False, which reads each image from its file when it is needed'
            )


def available_memory() -> int:
    """Bytes of the images that fit: twice into free memory, because joining them copies them, and once into /dev/shm."""
    with open('/proc/meminfo') as file:
        lines = dict(line.split(':') for line in file)
    return min(1024 * int(lines['MemAvailable'].split()[0]) // 2, shutil.disk_usage('/dev/shm').free)
