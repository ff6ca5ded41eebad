"""Mutations of any file, taken as bytes."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A changed file.

    Attributes:
        name: Of the mutation.
        content: The file.
        harmless: Whether it means the same as the file that it was made of, so that it must not be refused.
    """

    name: str
    content: bytes
    harmless: bool = False


Mutator = Callable[[random.Random, bytes], Mutant]
"""Makes one mutant of a file; the same one for the same state of the generator."""


def flip_bits(rng: random.Random, content: bytes) -> Mutant:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 8, 64))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return Mutant('flip_bits', bytes(changed))


def flip_bits_of_the_head(rng: random.Random, content: bytes) -> Mutant:
    """Where most formats have their fields."""
    changed = bytearray(content)
    changed[rng.randrange(min(64, len(changed)))] ^= 1 << rng.randrange(8)
    return Mutant('flip_bits_of_the_head', bytes(changed))


def truncate(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('truncate', content[: rng.randrange(len(content))])


def cut_the_end(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('cut_the_end', content[: -rng.randint(1, min(32, len(content)))])


def cut_the_start(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('cut_the_start', content[rng.randint(1, min(32, len(content))) :])


def insert(rng: random.Random, content: bytes) -> Mutant:
    at = rng.randrange(len(content))
    return Mutant('insert', content[:at] + rng.randbytes(rng.choice((1, 4, 100))) + content[at:])


def remove(rng: random.Random, content: bytes) -> Mutant:
    at = rng.randrange(len(content))
    return Mutant('remove', content[:at] + content[at + rng.choice((1, 4, 100)) :])


def zero_a_run(rng: random.Random, content: bytes) -> Mutant:
    """As a disk leaves blocks that were never written."""
    at, length = rng.randrange(len(content)), rng.choice((4, 64, 4096))
    return Mutant('zero_a_run', (content[:at] + bytes(length) + content[at + length :])[: len(content)])


def duplicate_a_block(rng: random.Random, content: bytes) -> Mutant:
    start, end = _block(rng, content)
    return Mutant('duplicate_a_block', content[:end] + content[start:])


def swap_blocks(rng: random.Random, content: bytes) -> Mutant:
    first, second, third = sorted(rng.randrange(len(content)) for _ in range(3))
    return Mutant('swap_blocks', content[:first] + content[second:third] + content[first:second] + content[third:])


def append(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('append', content + rng.choice((b'\0' * 512, rng.randbytes(16), content)))


def change_a_length(rng: random.Random, content: bytes) -> Mutant:
    """Four bytes become a number that is extreme, in either order of bytes."""
    at = rng.randrange(max(1, min(len(content) - 4, rng.choice((64, len(content))))))
    number = rng.choice((0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)).to_bytes(4, rng.choice(('little', 'big')))
    return Mutant('change_a_length', content[:at] + number + content[at + 4 :])


def empty(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('empty', b'')


def become_another_file(rng: random.Random, content: bytes) -> Mutant:
    others = (b'<html><body>404 Not Found</body></html>', b'\0' * 4096, rng.randbytes(4096), b'PK\x05\x06' + bytes(18))
    lfs = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'0' * 64 + b'\nsize 12345\n'
    return Mutant('become_another_file', rng.choice((*others, lfs)))


def unchanged(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('unchanged', content, harmless=True)


BYTES: tuple[Mutator, ...] = (
    *(flip_bits, flip_bits_of_the_head, truncate, cut_the_end, cut_the_start, insert, remove, zero_a_run),
    *(duplicate_a_block, swap_blocks, append, change_a_length, empty, become_another_file, unchanged),
)


def _block(rng: random.Random, content: bytes) -> tuple[int, int]:
    start = rng.randrange(len(content))
    return start, min(len(content), start + rng.choice((4, 100, 4096)))
