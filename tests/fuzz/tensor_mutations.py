"""Mutations of the weights in a checkpoint, and of what stands beside them; it is saved anew, with right checksums."""

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.runner.checkpoint import get_torch_safe_globals

from fuzz.mutations import Mutant, Mutator


def load(content: bytes) -> dict[str, Any]:
    with torch.serialization.safe_globals(get_torch_safe_globals()):
        return torch.load(io.BytesIO(content), weights_only=True)


def saved(value: Any) -> bytes:
    written = io.BytesIO()
    torch.save(value, written)
    return written.getvalue()


def legacy(rng: random.Random, content: bytes) -> Mutant:
    """PyTorch's format before 1.6; half of the times damaged."""
    written = io.BytesIO()
    torch.save(load(content), written, _use_new_zipfile_serialization=False)
    if rng.random() < 0.5:
        return Mutant('legacy', written.getvalue())
    changed = bytearray(written.getvalue())
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return Mutant('legacy_damaged', bytes(changed))


def tensor_mutator(name: str, change: Callable[[random.Random, torch.Tensor], Any], harmless: bool = False) -> Mutator:
    """One that changes one weight, which is saved anew."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        loaded = load(content)
        state = loaded.get('state_dict', loaded)
        key = rng.choice([key for key, value in state.items() if value.is_floating_point() and value.ndim])
        state[key] = change(rng, state[key])
        return Mutant(name, saved(loaded), harmless)

    return mutate


def state_mutator(name: str, change: Callable[[random.Random, dict[str, Any]], Any]) -> Mutator:
    """One that changes the weights' names."""

    def mutate(rng: random.Random, content: bytes) -> Mutant:
        loaded = load(content)
        change(rng, loaded.get('state_dict', loaded))
        return Mutant(name, saved(loaded))

    return mutate


def _one_number(value: float) -> Callable[[random.Random, torch.Tensor], torch.Tensor]:
    def change(rng: random.Random, tensor: torch.Tensor) -> torch.Tensor:
        flat = tensor.flatten().clone()
        flat[rng.randrange(len(flat))] = value
        return flat.view(tensor.shape)

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
    loaded = load(content)
    holders = [loaded, *(v for v in (loaded.get('meta'), loaded.get('optimizer')) if isinstance(v, dict))]
    holders += [v for v in (holders[-1].values()) if isinstance(v, dict)] + [loaded.get('meta', {}).get('auglocal_mm')]
    chosen = rng.choice([holder for holder in holders if holder])
    key = rng.choice([key for key in chosen if key != 'state_dict'] or ['meta'])
    value = rng.choice((None, [], {}, 'text', -1, float('nan'), 10**30, b'bytes', {1: 2}, [[1]], True, torch.ones(2)))
    if rng.random() < 0.2:
        chosen.pop(key, None)
    else:
        chosen[key] = value
    return Mutant('meta', saved(loaded))


STORABLE: tuple[Mutator, ...] = (
    tensor_mutator('nan', _one_number(float('nan'))),
    tensor_mutator('infinity', _one_number(float('-inf'))),
    tensor_mutator('double', lambda rng, tensor: tensor.double()),
    tensor_mutator('half', lambda rng, tensor: tensor.half()),
    tensor_mutator('bfloat16', lambda rng, tensor: tensor.bfloat16()),
    tensor_mutator('integer', lambda rng, tensor: tensor.to(rng.choice((torch.int64, torch.uint8, torch.bool)))),
    tensor_mutator('shape', lambda rng, tensor: torch.cat([tensor, tensor])),
    tensor_mutator('flat', lambda rng, tensor: tensor.reshape(1, -1)),
    tensor_mutator('no_numbers', lambda rng, tensor: tensor[:0]),
    state_mutator('missing', lambda rng, state: state.pop(rng.choice(list(state)))),
    state_mutator('rename_one', _rename_one),
    state_mutator('rename_all', _rename_all('module.')),
    state_mutator('rename_all_foreign', _rename_all('model.')),
    state_mutator('more', lambda rng, state: state.update({'backbone.layer9.0.weight': torch.ones(3)})),
)
"""What any format of weights can hold."""

TENSORS: tuple[Mutator, ...] = (
    *STORABLE,
    tensor_mutator('complex', lambda rng, tensor: tensor.to(torch.complex64)),
    tensor_mutator('sparse', lambda rng, tensor: tensor.to_sparse()),
    tensor_mutator('meta_device', lambda rng, tensor: tensor.to('meta')),
    tensor_mutator('expanded', lambda rng, tensor: torch.zeros(1).expand(2**16, 2**16)),
    tensor_mutator('strided', lambda rng, tensor: torch.stack([tensor, tensor], -1)[..., 0], harmless=True),
    tensor_mutator('parameter', lambda rng, tensor: torch.nn.Parameter(tensor), harmless=True),
    tensor_mutator('array', lambda rng, tensor: tensor.numpy()),
    tensor_mutator('list', lambda rng, tensor: tensor.tolist()),
    tensor_mutator('no_tensor', lambda rng, tensor: rng.choice((None, 'text', 1.5, {}, np.float64(1)))),
    state_mutator('odd_key', _odd_key),
    meta_mutation,
    meta_mutation,
    legacy,
)
