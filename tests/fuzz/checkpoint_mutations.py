"""Mutations of what ``torch.save`` writes: a zip archive, a pickle in it, and the tensors."""

import io
import os
import random
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import get_torch_safe_globals

from fuzz.mutations import Mutant, Mutator
from fuzz.sandbox import TRAP

Entries = list[tuple[zipfile.ZipInfo, bytes]]
DIRECTORY = 0x10


def zip_mutator(name: str, change: Callable[[random.Random, Entries], Any], harmless: bool = False) -> Mutator:
    """One that changes the entries of an archive, which is written anew, with right checksums."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [(info, archive.read(info)) for info in archive.infolist()]
        change(rng, entries)
        written = io.BytesIO()
        with zipfile.ZipFile(written, 'w') as archive:
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


def hostile(rng: random.Random, content: bytes) -> Mutant:
    """Code in the place of a weight, or beside the weights."""
    kind = rng.choice(list(HOSTILE))
    loaded = _load(content)
    state = loaded.get('state_dict', loaded)
    key = rng.choice(list(state))
    rng.choice((state, loaded))[rng.choice((key, 'other'))] = HOSTILE[kind]()
    return Mutant(f'hostile_{kind}', _saved(loaded))


def legacy(rng: random.Random, content: bytes) -> Mutant:
    """PyTorch's format before 1.6; half of the times damaged."""
    written = io.BytesIO()
    torch.save(_load(content), written, _use_new_zipfile_serialization=False)
    if rng.random() < 0.5:
        return Mutant('legacy', written.getvalue())
    changed = bytearray(written.getvalue())
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return Mutant('legacy_damaged', bytes(changed))


def tensor_mutator(name: str, change: Callable[[random.Random, torch.Tensor], Any], harmless: bool = False) -> Mutator:
    """One that changes one weight, which is saved anew."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        loaded = _load(content)
        state = loaded.get('state_dict', loaded)
        key = rng.choice([key for key, value in state.items() if value.is_floating_point() and value.ndim])
        state[key] = change(rng, state[key])
        return Mutant(name, _saved(loaded), harmless)

    return mutate


def state_mutator(name: str, change: Callable[[random.Random, dict[str, Any]], Any]) -> Mutator:
    """One that changes the weights' names."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        loaded = _load(content)
        change(rng, loaded.get('state_dict', loaded))
        return Mutant(name, _saved(loaded))

    return mutate


def _one_number(value: float) -> Callable[[random.Random, torch.Tensor], torch.Tensor]:
    def change(rng: random.Random, tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[rng.randrange(tensor.numel())] = value
        return tensor

    return change


def _rename_one(rng: random.Random, state: dict[str, Any]) -> None:
    key = rng.choice(list(state))
    state[rng.choice((f'module.{key}', key.upper(), key + '_', key.removeprefix('backbone.') + ' '))] = state.pop(key)


def _rename_all(prefix: str) -> Callable[[random.Random, dict[str, Any]], None]:
    def change(rng: random.Random, state: dict[str, Any]) -> None:
        for key in list(state):
            state[prefix + key] = state.pop(key)

    return change


def _odd_key(rng: random.Random, state: dict[Any, Any]) -> None:
    state[rng.choice((5, None, ('a',), b'conv1'))] = torch.zeros(1)


def meta_mutation(rng: random.Random, content: bytes) -> Mutant:
    """What stands beside the weights is of another kind."""
    loaded = _load(content)
    holders = [loaded, *(v for v in (loaded.get('meta'), loaded.get('optimizer')) if isinstance(v, dict))]
    holders += [v for v in (holders[-1].values()) if isinstance(v, dict)] + [loaded.get('meta', {}).get('auglocal_mm')]
    chosen = rng.choice([holder for holder in holders if holder])
    key = rng.choice([key for key in chosen if key != 'state_dict'] or ['meta'])
    value = rng.choice((None, [], {}, 'text', -1, float('nan'), 10**30, b'bytes', {1: 2}, [[1]], True, torch.ones(2)))
    if rng.random() < 0.2:
        chosen.pop(key, None)
    else:
        chosen[key] = value
    return Mutant('meta', _saved(loaded))


ZIP: tuple[Mutator, ...] = (
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
TENSORS: tuple[Mutator, ...] = (
    tensor_mutator('nan', _one_number(float('nan'))),
    tensor_mutator('infinity', _one_number(float('-inf'))),
    tensor_mutator('double', lambda rng, tensor: tensor.double()),
    tensor_mutator('half', lambda rng, tensor: tensor.half()),
    tensor_mutator('bfloat16', lambda rng, tensor: tensor.bfloat16()),
    tensor_mutator('integer', lambda rng, tensor: tensor.to(rng.choice((torch.int64, torch.uint8, torch.bool)))),
    tensor_mutator('complex', lambda rng, tensor: tensor.to(torch.complex64)),
    tensor_mutator('shape', lambda rng, tensor: torch.cat([tensor, tensor])),
    tensor_mutator('flat', lambda rng, tensor: tensor.reshape(1, -1)),
    tensor_mutator('no_numbers', lambda rng, tensor: tensor[:0]),
    tensor_mutator('sparse', lambda rng, tensor: tensor.to_sparse()),
    tensor_mutator('meta_device', lambda rng, tensor: tensor.to('meta')),
    tensor_mutator('expanded', lambda rng, tensor: torch.zeros(1).expand(2**16, 2**16)),
    tensor_mutator('strided', lambda rng, tensor: torch.stack([tensor, tensor], -1)[..., 0], harmless=True),
    tensor_mutator('parameter', lambda rng, tensor: torch.nn.Parameter(tensor), harmless=True),
    tensor_mutator('array', lambda rng, tensor: tensor.numpy()),
    tensor_mutator('list', lambda rng, tensor: tensor.tolist()),
    tensor_mutator('no_tensor', lambda rng, tensor: rng.choice((None, 'text', 1.5, {}, np.float64(1)))),
    state_mutator('missing', lambda rng, state: state.pop(rng.choice(list(state)))),
    state_mutator('rename_one', _rename_one),
    state_mutator('rename_all', _rename_all('module.')),
    state_mutator('rename_all_foreign', _rename_all('model.')),
    state_mutator('odd_key', _odd_key),
    state_mutator('more', lambda rng, state: state.update({'backbone.layer9.0.weight': torch.ones(3)})),
    meta_mutation,
    meta_mutation,
)
CHECKPOINT: tuple[Mutator, ...] = (*ZIP, hostile, hostile, legacy, *TENSORS)


def _load(content: bytes) -> dict[str, Any]:
    with torch.serialization.safe_globals(get_torch_safe_globals()):
        return torch.load(io.BytesIO(content), weights_only=True)


def _saved(value: Any) -> bytes:
    written = io.BytesIO()
    torch.save(value, written)
    return written.getvalue()
