"""Mutations of the sizes that images say they have."""

import random
import struct
import zlib

from fuzz.mutations import Mutant, Mutator

HUGE = (20_000, 60_000, 65_535)


def _png_header(content: bytes, width: int, height: int) -> bytes:
    """The file with another size, and the checksum that fits it."""
    header = content[12:16] + struct.pack('>II', width, height) + content[24:29]
    return content[:12] + header + struct.pack('>I', zlib.crc32(header)) + content[33:]


def _png_huge(rng: random.Random, content: bytes) -> Mutant:
    side = rng.choice((*HUGE, 2**31 - 1))
    return Mutant('more_rows', _png_header(content, side, side))


def _png_bomb(rng: random.Random, content: bytes) -> Mutant:
    """All of its 20,000 x 20,000 pixels are there."""
    side = 20_000
    packer = zlib.compressobj(9)
    block = packer.compress(bytes(1 + 3 * side)) + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(bytes(1 + 3 * side)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (side * (1 + 3 * side)) % 65521  # of zeros: one sum is 1, the other the number of bytes
    data = block + more * (side - 1) + b'\x03\x00' + struct.pack('>I', adler << 16 | 1)
    chunk = struct.pack('>I', len(data)) + b'IDAT' + data + struct.pack('>I', zlib.crc32(b'IDAT' + data))
    return Mutant('bomb', _png_header(content, side, side)[:33] + chunk + b'\0\0\0\0IEND\xaeB`\x82')


def _png_rows(rng: random.Random, content: bytes) -> Mutant:
    width, height = struct.unpack('>II', content[16:24])
    fewer = rng.random() < 0.5
    name = 'fewer_rows' if fewer else 'more_rows'
    return Mutant(name, _png_header(content, width, height // 2 if fewer else height * 2))


def _png_zero(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('no_size', _png_header(content, *rng.choice(((0, 0), (0, 5), (2**32 - 1, 1)))))


def _jpeg_size(rng: random.Random, content: bytes) -> Mutant:
    start = next(i for i in range(len(content)) if content[i] == 0xFF and content[i + 1] in (0xC0, 0xC2))
    side = rng.choice((*HUGE, 0, 1, 47))
    return Mutant('size', content[: start + 5] + struct.pack('>HH', side, side) + content[start + 9 :])


def _jpeg_scans(rng: random.Random, content: bytes) -> Mutant:
    """The last scan a thousand times: a few hundred kilobytes that take long."""
    start = content.rindex(b'\xff\xda')
    return Mutant('scans', content[:-2] + content[start:-2] * 1000 + content[-2:])


def _gif_size(rng: random.Random, content: bytes) -> Mutant:
    side = rng.choice((*HUGE, 0))
    return Mutant('size', content[:6] + struct.pack('<HH', side, side) + content[10:])


def _gif_frames(rng: random.Random, content: bytes) -> Mutant:
    """The one frame many times."""
    start = content.index(b',', 13)
    return Mutant('frames', content[:-1] + content[start:-1] * 2000 + content[-1:])


PNG: tuple[Mutator, ...] = (_png_huge, _png_bomb, _png_rows, _png_zero)
JPEG: tuple[Mutator, ...] = (_jpeg_size, _jpeg_scans)
GIF: tuple[Mutator, ...] = (_gif_size, _gif_frames)
