"""One record of COCO's annotation files, with errors that name it."""

from collections import Counter
from typing import Any, NoReturn

from auglocal_mm.errors import InputError

NUMBERS = {int, float}
FLAGS: dict[Any, int] = {0: 0, 1: 1, '0': 0, '1': 1}
LARGEST = 1_000_000
"""Side of an image, in pixels."""


class Entry:
    """One record of the file, with errors that name it.

    Args:
        path: The file.
        key: ``images``, ``annotations`` or ``categories``.
        index: Index of the record, from 0.
        record: Its keys and values.

    Raises:
        InputError: The record is not a JSON object.
    """

    __slots__ = ('index', 'key', 'path', 'record')

    def __init__(self, path: str, key: str, index: int, record: Any) -> None:
        self.path, self.key, self.index, self.record = path, key, index, record
        if type(record) is not dict:
            raise InputError(f'{key}[{index}] of {path} is {record!r:.60}, expected an object; correct the file')

    def refuse(self, name: str, expected: str) -> NoReturn:
        """Raises an :class:`InputError` about the value at ``name``."""
        found = f'is {self.record[name]!r:.80}' if name in self.record else 'is missing'
        raise InputError(
            f'{self.key}[{self.index}].{name} of {self.path} {found}, expected {expected}; correct the annotation file'
        )

    def identifier(self, name: str, notes: Counter[str]) -> int | str:
        """The id at ``name``: an integer, possibly written as a string, or another string."""
        value = self.record.get(name)
        if type(value) is int:
            return value
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not str or not value:
            self.refuse(name, 'an integer')
        if value.isascii() and value.removeprefix('-').isdecimal():
            notes[f'{self.key} have {name} as text, which is read as a number'] += 1
            return int(value)
        return value

    def flag(self, name: str, notes: Counter[str]) -> int:
        """0 or 1 at ``name``, possibly as a string; 0 if it is missing."""
        value = self.record.get(name)
        if value is None:
            return 0
        if not isinstance(value, int | float | str) or value not in FLAGS:
            self.refuse(name, '0 or 1')
        if isinstance(value, str):
            notes[f'{self.key} have {name} as text, which is read as a number'] += 1
        return FLAGS[value]

    def text(self, name: str) -> str:
        """The string at ``name``."""
        value = self.record.get(name)
        if not isinstance(value, str) or not value:
            self.refuse(name, 'a non-empty string')
        return value

    def side(self, name: str) -> int:
        """The width or height of an image, in pixels."""
        value = self.record.get(name)
        if type(value) not in NUMBERS or not 1 <= value <= LARGEST or value != value // 1:
            self.refuse(name, f'an integer number of pixels from 1 to {LARGEST}')
        return int(value)
