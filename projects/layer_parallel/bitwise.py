"""Compares two trainings bit for bit: final checkpoints, logged values, and exported backbones."""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from torch import Tensor

from auglocal_mm.analysis.training_log import read_curves
from auglocal_mm.engine.checkpoint import latest_checkpoint
from auglocal_mm.files.json_file import Count
from auglocal_mm.weights.checkpoint_file import read_weights

CLOCK = ('time', 'data_time', 'memory')
"""What is logged that depends on the machine."""
TRAINED = ('state_dict', 'optimizer', 'param_schedulers', 'local_learning', 'ema_state_dict')
"""The parts of a checkpoint that continue the training; the others are dates, the config and the log."""

Values = dict[str, Any]


SHOWN = 5
"""How many names of different values are listed."""


class Compared(BaseModel):
    """How much two sets of named values differ.

    Attributes:
        values: Number of names in either of them.
        different: Number of those whose values are not the same, or that are only in one.
        bits: Number of bits that differ in values of the same type and shape.
        first: Names of the first that are different.
    """

    values: Count
    different: Count
    bits: Count
    first: list[str]


class Comparison(BaseModel):
    """How much two trainings differ.

    Attributes:
        checkpoint: Weights, buffers, and states of optimizers, loss scalers and schedulers after the last iteration.
        log: Logged values of every iteration.
        same_backbone: Whether the exported files are the same.
    """

    checkpoint: Compared
    log: Compared
    same_backbone: bool

    @property
    def values(self) -> int:
        """Number of all compared values; the backbone is one."""
        return self.checkpoint.values + self.log.values + 1

    @property
    def different(self) -> int:
        """Number of those that differ."""
        return self.checkpoint.different + self.log.different + (not self.same_backbone)


def compare_trainings(one: Path, two: Path, logged: str = '') -> Comparison:
    """Compares two finished trainings.

    Args:
        one: The work_dir of one.
        two: That of the other.
        logged: With what the names of the compared logged values begin.
    """
    folders = (one, two)
    return Comparison(
        checkpoint=compare(*(checkpoint_values(Path(latest_checkpoint(str(each)) or each)) for each in folders)),
        log=compare(*(logged_values(each, logged) for each in folders)),
        same_backbone=len({file_hash(each / 'backbone.pth') for each in folders}) == 1,
    )


def compare(one: Mapping[str, Any], two: Mapping[str, Any]) -> Compared:
    """Compares two sets of tensors, numbers and other values by name."""
    names = list(dict.fromkeys([*one, *two]))
    bits = {name: _bits(one[name], two[name]) if name in one and name in two else None for name in names}
    different = [name for name, number in bits.items() if number != 0]
    return Compared(
        values=len(names),
        different=len(different),
        bits=sum(number or 0 for number in bits.values()),
        first=different[:SHOWN],
    )


def checkpoint_values(path: Path) -> Values:
    """Weights, buffers, and states of optimizers, loss scalers and schedulers in a checkpoint, by their paths in it."""
    checkpoint = read_weights(path)
    return {name: value for part in TRAINED if part in checkpoint for name, value in _leaves(checkpoint[part], part)}


def logged_values(work_dir: Path, prefix: str) -> Values:
    """Every logged value whose name has the prefix, by name and step; without times and memory."""
    curves = read_curves(work_dir)
    names = [name for name in curves if name.startswith(prefix) and name not in CLOCK]
    return {f'{name}, step {step}': value for name in names for step, value in curves[name]}


def file_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values in nested dicts and lists, by their paths."""
    if isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, f'{path}.{key}')
    else:
        yield path, value


def _bits(one: Any, two: Any) -> int | None:
    """The number of different bits; ``None`` if the values cannot be compared bit by bit and are not the same."""
    first, second = _memory(one), _memory(two)
    if first is None or second is None or first[0] != second[0]:
        return 0 if type(one) is type(two) and not isinstance(one, Tensor) and one == two else None
    return int(np.unpackbits(np.bitwise_xor(first[1], second[1])).sum())


def _memory(value: Any) -> tuple[Any, np.ndarray] | None:
    """Type and shape, and the bytes, of a tensor or a float."""
    if isinstance(value, Tensor):
        numbers = value.detach().contiguous().flatten()
        return (value.dtype, value.shape), np.frombuffer(numbers.numpy().tobytes(), np.uint8)
    if isinstance(value, float):
        return float, np.frombuffer(struct.pack('<d', value), np.uint8)
    return None
