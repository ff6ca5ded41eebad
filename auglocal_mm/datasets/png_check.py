"""Checks that a PNG is complete. Decoders fill in missing rows and ignore checksums."""

import struct
import zlib
from collections.abc import Iterator

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, and steps between columns and rows, of each pass of an interlaced image."""


def check_png(data: bytes) -> None:
    """Checks all checksums, and that the size in the header gives the number of pixel bytes (PNG specification, section 8).

    Raises:
        ValueError: One of them is wrong, or the file ends early.
    """
    chunks = list(_chunks(data))
    width, height, depth, colour, _, _, interlaced = struct.unpack('>IIBBBBB', chunks[0][1][:13])
    expected = _pixel_bytes(width, height, depth * CHANNELS[colour], bool(interlaced))
    stream = zlib.decompressobj()
    pixels = stream.decompress(b''.join(content for name, content in chunks if name == b'IDAT'), expected + 1)
    if len(pixels) != expected or not stream.eof or stream.unused_data or chunks[-1][0] != b'IEND':
        raise ValueError(f'its data are not the {width} x {height} pixels of its header: it is truncated or damaged')


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name and content of each chunk, up to the end of the image."""
    position, name = 8, b''
    while name != b'IEND':
        try:
            length, name = struct.unpack_from('>I4s', data, position)
            content = data[position + 8 : position + 8 + length]
            (checksum,) = struct.unpack_from('>I', data, position + 8 + length)
        except struct.error as error:
            raise ValueError('it is truncated') from error
        if zlib.crc32(name + content) != checksum:
            raise ValueError(f'the checksum of its chunk {name.decode("latin-1")} is wrong: it is damaged')
        yield name, content
        position += 12 + length


def _pixel_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of all rows, including the filter byte of each."""
    total = 0
    for column, row, columns, rows in ADAM7 if interlaced else ((0, 0, 1, 1),):
        across, down = -(-(width - column) // columns), -(-(height - row) // rows)
        total += down * (1 + -(-across * bits // 8)) if across > 0 and down > 0 else 0
    return total
