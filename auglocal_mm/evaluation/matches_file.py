"""The file of matches: a compressed archive of arrays, in which booleans take one bit."""

import io
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from zipfile import BadZipFile

import numpy as np

from auglocal_mm.evaluation.matches import AREAS, Matches

VERSION = 1
"""Of the file and of what is computed for it: matches of different versions are not compared. Raise it with each change of
what AP is computed from."""
BITS = ('matched', 'ignored')
LAYOUT = {
    'image_ids': ('I', 'iuU'),
    'category_ids': ('K', 'iu'),
    'category_names': ('K', 'U'),
    'iou_thresholds': ('T', 'f'),
    'max_detections': ('L', 'iu'),
    'counts': ('KI', 'iu'),
    'scores': ('N', 'f'),
    'matched': ('ATB', 'u'),
    'ignored': ('ATB', 'u'),
    'positives': ('KAI', 'iu'),
    'boxes': ('N4', 'f'),
}
"""Of each array: its shape, a letter for each size as in :class:`Matches` (B: bytes of N bits, L: limits), and NumPy's kinds of
its numbers."""


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
    """The matches in a file that :func:`to_bytes` of this ``VERSION`` made.

    Raises:
        ValueError: It did not make this content.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            kinds = dict.fromkeys(name.partition('.')[0] for name in arrays)
            return {kind: _matches(_of_kind(kind, arrays)) for kind in kinds}
    except (KeyError, TypeError, OSError, EOFError, AttributeError, MemoryError, BadZipFile, zlib.error) as error:
        raise ValueError(f'{type(error).__name__}: {error}') from error


def _of_kind(kind: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    named = {field.name: f'{kind}.{field.name}' for field in fields(Matches)}
    return {name: arrays[key] for name, key in named.items() if key in arrays}


def _packed(name: str, value: Any) -> Any:
    return np.packbits(value, axis=-1) if name in BITS else value


def _matches(arrays: dict[str, Any]) -> Matches:
    _check(arrays)
    for name in BITS:
        arrays[name] = np.unpackbits(arrays[name], axis=-1, count=len(arrays['scores'])).view(np.bool_)
    return Matches(**{**arrays, 'annotations': str(arrays['annotations'])})


def _check(arrays: Mapping[str, Any]) -> None:
    number = len(arrays['scores'])
    sizes = {'A': len(AREAS), '4': 4, 'N': number, 'B': -(-number // 8)}
    for name, array in arrays.items():
        if name == 'annotations':
            continue
        letters, kinds = LAYOUT[name]
        expected = tuple(sizes.setdefault(letter, size) for letter, size in zip(letters, array.shape, strict=False))
        if array.ndim != len(letters) or array.shape != expected or array.dtype.kind not in kinds:
            raise ValueError(f'{name} is of shape {array.shape} and type {array.dtype}')
    if arrays['counts'].min(initial=0) < 0 or arrays['counts'].sum() != number:
        raise ValueError(f'the counts are not those of {number} detections')
