"""Mutations of a ``.safetensors`` file: the length of its header, the header in JSON, and the numbers behind it."""

import random

from safetensors.torch import load, save

from fuzz import tensor_mutations
from fuzz.json_mutations import json_mutators
from fuzz.mutations import BYTES, Mutant, Mutator

LENGTH = 8
"""Bytes, at the start of the file, of the length of the header."""


def parts(content: bytes) -> tuple[bytes, bytes]:
    """The header and the numbers."""
    end = LENGTH + int.from_bytes(content[:LENGTH], 'little')
    return content[LENGTH:end], content[end:]


def joined(header: bytes, numbers: bytes) -> bytes:
    """A file of both."""
    return len(header).to_bytes(LENGTH, 'little') + header + numbers


def pickled(content: bytes) -> bytes:
    """The weights as PyTorch saves them, in one order: safetensors gives another each time."""
    return tensor_mutations.saved(dict(sorted(load(content).items())))


def on_header(mutator: Mutator) -> Mutator:
    """Changes the header, and the length accordingly."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        header, numbers = parts(content)
        mutant = mutator(rng, header)
        return Mutant(f'header_{mutant.name}', joined(mutant.content, numbers), mutant.harmless)

    return mutate


def on_tensors(mutator: Mutator) -> Mutator:
    """Changes the weights, which are saved anew."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        mutant = mutator(rng, pickled(content))
        return Mutant(mutant.name, save(tensor_mutations.load(mutant.content)), mutant.harmless)

    return mutate


def _length(rng: random.Random, content: bytes) -> Mutant:
    length = rng.choice((0, 1, len(content), 2**31, 2**32, 2**63, 2**64 - 1, rng.randrange(len(content))))
    return Mutant('length', length.to_bytes(LENGTH, 'little') + content[LENGTH:])


def _pickled(rng: random.Random, content: bytes) -> Mutant:
    """A checkpoint of PyTorch under this name."""
    return Mutant('pickled', pickled(content))


def _vast(rng: random.Random, content: bytes) -> Mutant:
    """A header that claims numbers of 2^40 bytes."""
    header = b'{"conv1.weight": {"dtype": "F32", "shape": [%d], "data_offsets": [0, %d]}}' % (2**38, 2**40)
    return Mutant('vast', joined(header, content[-4096:]))


SAFETENSORS: tuple[Mutator, ...] = (
    *map(on_header, json_mutators()),
    *map(on_tensors, tensor_mutations.STORABLE),
    *(_length, _pickled, _vast),
    *BYTES,
)
