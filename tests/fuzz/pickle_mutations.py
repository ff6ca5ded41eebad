"""Mutations of the pickle in a checkpoint: code in the place of weights, and odd opcodes."""

import os
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import HistoryBuffer

from fuzz.archive_mutations import Entries, zip_mutator
from fuzz.mutations import Mutant, Mutator, duplicate_a_block, flip_bits, swap_blocks, zero_a_run
from fuzz.sandbox import TRAP
from fuzz.tensor_mutations import load, saved


class Call:
    """Pickled, it is a call of ``function``, which unpickling makes."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple]:
        return self.function, self.arguments

    def __call__(self) -> None:
        """Pickle asks that what is called can be called."""


def _attributes() -> Any:
    """``eval`` by way of ``getattr``, which MMEngine has among the globals that it calls safe."""
    code = f"__import__('os').mkdir({TRAP!r})"
    rebuild = torch._tensor._rebuild_from_type_v2
    kinds = [Call(getattr, value, '__class__') for value in ({}, Call(getattr, {}, 'get'))]
    get_global = Call(getattr, Call(getattr, Call(getattr, HistoryBuffer, 'mean'), '__globals__'), 'get')
    builtins = Call(rebuild, get_global, kinds[0], ('__builtins__',), {})
    evaluate = Call(rebuild, Call(getattr, builtins, 'get'), kinds[1], ('eval',), {})
    return Call(rebuild, evaluate, kinds[0], (code,), {})


HOSTILE: dict[str, Callable[[], Any]] = {
    'mkdir': lambda: Call(os.mkdir, TRAP),
    'eval': lambda: Call(eval, f"__import__('os').mkdir({TRAP!r})"),
    'system': lambda: Call(os.system, f'mkdir {TRAP}'),
    'attributes': _attributes,
    'fromkeys': lambda: Call(getattr, OrderedDict, 'fromkeys'),
}


def _hostile(kind: str) -> Mutator:
    """Code in the place of a weight, or beside the weights."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        loaded = load(content)
        state = loaded.get('state_dict', loaded)
        key = rng.choice(list(state))
        rng.choice((state, loaded))[rng.choice((key, 'other'))] = HOSTILE[kind]()
        return Mutant(f'hostile_{kind}', saved(loaded))

    return mutate


def _pickle_bytes(rng: random.Random, entries: Entries) -> None:
    """Another pickle, whose checksum is right."""
    at = next(i for i, (info, _) in enumerate(entries) if info.filename.endswith('data.pkl'))
    info, data = entries[at]
    entries[at] = info, rng.choice((flip_bits, zero_a_run, duplicate_a_block, swap_blocks))(rng, data).content


def _pickle_opcodes(rng: random.Random, entries: Entries) -> None:
    """Opcodes that claim much, or nest deeply, before the rest."""
    at = next(i for i, (info, _) in enumerate(entries) if info.filename.endswith('data.pkl'))
    info, data = entries[at]
    far, long = (2**40).to_bytes(8, 'little'), (2**31 - 1).to_bytes(4, 'little')
    odd = (
        b'\x8d' + far,
        b'\x8e' + far,
        b'\x96' + far,
        b'X' + long,
        b'r' + long,
        b'\x8b' + long,
        b']' + b'\x85' * 10**5,
    )
    entries[at] = info, data[:2] + rng.choice((*odd, b'(' * 10**6, b'I' + b'9' * 10**6 + b'\n', b'\x82\x01')) + data[2:]


PICKLE: tuple[Mutator, ...] = (
    *map(_hostile, HOSTILE),
    zip_mutator('pickle_bytes', _pickle_bytes),
    zip_mutator('pickle_opcodes', _pickle_opcodes),
)
