"""Mutations of the zip archive that ``torch.save`` writes."""

import io
import random
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from fuzz.mutations import Mutant, Mutator

Entries = list[tuple[zipfile.ZipInfo, bytes]]
DIRECTORY = 0x10


def zip_mutator(name: str, change: Callable[[random.Random, Entries], Any], harmless: bool = False) -> Mutator:
    """One that changes the entries of an archive, which is written anew, with right checksums."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [(info, archive.read(info)) for info in archive.infolist()]
        change(rng, entries)
        written = io.BytesIO()
        with zipfile.ZipFile(written, 'w') as archive, warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a name may be there twice
            for info, data in entries:
                archive.writestr(info, data)
        return Mutant(name, written.getvalue(), harmless)

    return mutate


def _directory_bit(rng: random.Random, entries: Entries) -> None:
    rng.choice(entries)[0].external_attr |= DIRECTORY


def _compress(rng: random.Random, entries: Entries) -> None:
    for info, _ in entries:
        info.compress_type = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))


def _drop(rng: random.Random, entries: Entries) -> None:
    entries.pop(rng.randrange(len(entries)))


def _rename(rng: random.Random, entries: Entries) -> None:
    info = rng.choice(entries)[0]
    info.filename = rng.choice((info.filename.upper(), info.filename + '/', '../' + info.filename, '/etc/passwd', 'x'))


def _twice(rng: random.Random, entries: Entries) -> None:
    """The same name with other content, before or behind."""
    at = rng.randrange(len(entries))
    info, data = entries[at]
    other = zipfile.ZipInfo(info.filename)
    entries.insert(rng.choice((at, len(entries))), (other, rng.randbytes(len(data))))


def _shorten(rng: random.Random, entries: Entries) -> None:
    at = rng.randrange(len(entries))
    info, data = entries[at]
    entries[at] = info, data[: rng.choice((0, len(data) // 2, max(0, len(data) - 1)))]


def _swap_names(rng: random.Random, entries: Entries) -> None:
    """Two tensors of one size change places: nothing in the file tells."""
    first, second = rng.sample(range(len(entries)), 2)
    (one, data), (other, more) = entries[first], entries[second]
    entries[first], entries[second] = (one, more), (other, data)


def _patched(name: str, signature: bytes, offsets: dict[str, tuple[int, int]]) -> Mutator:
    """Changes one field of a header of the archive, without anything else."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        places = [i for i in range(len(content) - 4) if content[i : i + 4] == signature]
        offset, length = rng.choice(list(offsets.values()))
        at = rng.choice(places) + offset
        value = rng.choice((bytes(length), b'\xff' * length, rng.randbytes(length)))
        return Mutant(name, content[:at] + value + content[at + length :])

    return mutate


CENTRAL = {'flags': (8, 2), 'method': (10, 2), 'crc': (16, 4), 'packed': (20, 4), 'size': (24, 4), 'name': (28, 2)}
CENTRAL |= {'extra': (30, 2), 'disk': (34, 2), 'attributes': (38, 4), 'offset': (42, 4)}
LOCAL = {'flags': (6, 2), 'method': (8, 2), 'crc': (14, 4), 'packed': (18, 4), 'size': (22, 4), 'name': (26, 2)}
END = {'disk': (4, 2), 'entries': (10, 2), 'length': (12, 4), 'offset': (16, 4), 'comment': (20, 2)}


def bomb(rng: random.Random, content: bytes) -> Mutant:
    """One entry becomes 3 GiB of zeros, compressed to 3 MB."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        chosen = rng.choice(infos)
        written = io.BytesIO()
        with zipfile.ZipFile(written, 'w') as out:
            for info in infos:
                data = archive.read(info)
                out.writestr(info, _zeros()[0] if info is chosen else data)
            changed = next(info for info in out.infolist() if info.filename == chosen.filename)
            changed.compress_type, changed.file_size, changed.CRC = zipfile.ZIP_DEFLATED, *_zeros()[1:]
            local = changed.header_offset
        header = bytearray(written.getvalue())
    header[local + 8 : local + 10] = zipfile.ZIP_DEFLATED.to_bytes(2, 'little')
    header[local + 14 : local + 18] = _zeros()[2].to_bytes(4, 'little')
    header[local + 22 : local + 26] = _zeros()[1].to_bytes(4, 'little')
    return Mutant('bomb', bytes(header))


@cache
def _zeros() -> tuple[bytes, int, int]:
    """3 GiB of zeros in deflate's format, their length and their CRC."""
    block, times = bytes(2**24), 192
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(times):
        crc = zlib.crc32(block, crc)
    return one * times + packer.flush(), len(block) * times, crc


ARCHIVE: tuple[Mutator, ...] = (
    zip_mutator('directory_bit', _directory_bit),
    zip_mutator('compress', _compress),
    zip_mutator('drop_entry', _drop),
    zip_mutator('rename_entry', _rename),
    zip_mutator('entry_twice', _twice),
    zip_mutator('shorten_entry', _shorten),
    zip_mutator('swap_entries', _swap_names),
    _patched('central_directory', b'PK\x01\x02', CENTRAL),
    _patched('local_header', b'PK\x03\x04', LOCAL),
    _patched('end_of_directory', b'PK\x05\x06', END),
    bomb,
)
