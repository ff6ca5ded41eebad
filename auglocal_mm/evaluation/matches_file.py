"""The file of matches: a compressed archive of arrays, in which booleans take one bit."""

import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from auglocal_mm.evaluation.matches import Matches

VERSION = 1
"""Of the file and of what is computed for it: matches of different versions are not compared. Raise it with each change of
what AP is computed from."""
BITS = ('matched', 'ignored')


def to_bytes(matches: Mapping[str, Matches]) -> bytes:
    """The content of the file.

    Args:
        matches: By ``'bbox'`` and ``'segm'``.
    """
    arrays = {
        f'{kind}.{field.name}': _packed(field.name, getattr(each, field.name))
        for kind, each in matches.items()
        for field in fields(Matches)
        if getattr(each, field.name) is not None
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def from_bytes(content: bytes) -> dict[str, Matches]:
    """The matches in a file that :func:`to_bytes` of this ``VERSION`` made."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        kinds = dict.fromkeys(name.partition('.')[0] for name in arrays)
        return {kind: _matches(_of_kind(kind, arrays)) for kind in kinds}


def _of_kind(kind: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    named = {field.name: f'{kind}.{field.name}' for field in fields(Matches)}
    return {name: arrays[key] for name, key in named.items() if key in arrays}


def _packed(name: str, value: Any) -> Any:
    return np.packbits(value, axis=-1) if name in BITS else value


def _matches(arrays: dict[str, Any]) -> Matches:
    for name in BITS:
        arrays[name] = np.unpackbits(arrays[name], axis=-1, count=len(arrays['scores'])).view(np.bool_)
    return Matches(**{**arrays, 'annotations': str(arrays['annotations'])})
