"""Reads JSON of an expected shape; all JSON records are read through here."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there

T = TypeVar('T')
LARGEST = 2**26
"""Bytes; a record has a few thousand."""

Count = Annotated[int, Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0)]
Percent = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=100)]


def read_json(path: Path, shape: type[T], advice: str) -> T:
    """Reads a JSON file.

    Args:
        path: The file, with or without a byte order mark.
        shape: The expected content: a pydantic model, or any type that pydantic knows.
        advice: What to do if it has another content; ends the error.

    Raises:
        InputError: The file is missing, too large, not valid JSON, has a key twice, or its content has another shape.
    """
    if not is_there(path):
        raise InputError(f'there is no {path}; {advice}')
    if path.stat().st_size > LARGEST:
        raise InputError(f'{path} has {path.stat().st_size} bytes, expected a record of at most {LARGEST}; {advice}')
    return parse_json(path.read_bytes(), shape, str(path), advice)


def parse_json(data: bytes, shape: type[T], source: str, advice: str) -> T:
    """As :func:`read_json`, for ``data`` from ``source``."""
    return fit(decode_json(data, source, advice), shape, source, advice)


def decode_json(data: bytes, source: str, advice: str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """The values in ``data``, of any shape.

    Args:
        data: JSON in UTF-8, with or without a byte order mark.
        source: The name of the data in errors.
        advice: What to do about an error.
        parse_constant: As for :func:`json.loads`: converts ``NaN`` and ``Infinity``.

    Raises:
        InputError: It is not valid JSON in UTF-8, or has a key twice.
    """
    try:
        return json.loads(data.decode('utf-8-sig'), object_pairs_hook=_object, parse_constant=parse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f'{source} is not valid JSON in UTF-8 ({error}); {advice}') from error


def fit(content: Any, shape: type[T], source: str, advice: str) -> T:
    """``content``, validated as ``shape``.

    Raises:
        InputError: It does not fit; names the first key and value that are wrong.
    """
    known: Any = shape
    try:
        return _adapter(known).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = '.'.join(map(str, first['loc'])) or 'the content'
        raise InputError(f'{source}: {key} is {_short(first)}: {_lower(first["msg"])}; {advice}') from error
    except RecursionError as error:
        raise InputError(f'{source} is nested too deeply; {advice}') from error


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'it has the key {next(name for name in names if names.count(name) > 1)!r} twice')
    return content


def _short(error: Any) -> str:
    text = 'missing' if error['type'] == 'missing' else repr(error['input'])
    return text if len(text) <= 60 else f'{text[:57]}...'


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
