import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from auglocal_mm.datasets.png_check import _pixel_bytes, check_png


def png(mode: str = 'RGB', size: tuple[int, int] = (13, 9)) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(out, 'png')
    return out.getvalue()


def with_header(data: bytes, height: int) -> bytes:
    """Another height, with the right checksum."""
    header = bytearray(data[12:29])
    header[8:12] = struct.pack('>I', height)
    return data[:12] + bytes(header) + struct.pack('>I', zlib.crc32(header)) + data[33:]


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA'])
@pytest.mark.parametrize('size', [(1, 1), (13, 9), (64, 48)])
def test_whole_images_pass(mode, size):
    check_png(png(mode, size))


@pytest.mark.parametrize(('width', 'height'), [(1, 1), (3, 2), (8, 8), (13, 9)])
def test_the_passes_of_an_interlaced_image_have_all_pixels(width, height):
    rows = _pixel_bytes(width, height, 8, True) - width * height
    assert 0 < rows <= 2 * height + 7  # nothing but the filters of the rows of each pass


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda data: with_header(data, 18), r'\b13 x 18\b'),
        (lambda data: with_header(data, 5), r'\b13 x 5\b'),
        (lambda data: data[:-20], 'truncated|checksum'),
        (lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], 'checksum.*IDAT'),
    ],
)
def test_damage_that_decoders_would_hide_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        check_png(change(png()))
