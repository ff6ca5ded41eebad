"""Sizes of memory, read and written."""

import re

from auglocal_mm.errors import InputError

UNITS = {'B': 1, 'KB': 10**3, 'MB': 10**6, 'GB': 10**9, 'KIB': 2**10, 'MIB': 2**20, 'GIB': 2**30}


def parse_size(text: str) -> float:
    """``'8GiB'`` in bytes.

    Raises:
        InputError: No number, or an unknown unit.
    """
    match = re.fullmatch(r'\s*(\d+\.?\d*)\s*([A-Za-z]*)\s*', text)
    if match is None or match[2].upper() not in UNITS:
        raise InputError(
            f'the budget is {text!r}; expected a number and one of B, KB, MB, GB, KiB, MiB, GiB, as in 8GiB'
        )
    return float(match[1]) * UNITS[match[2].upper()]


def format_size(size: float) -> str:
    """Bytes as GiB, or as MiB where GiB would leave no digits."""
    return f'{size / 2**30:.2f} GiB' if size >= 2**30 / 10 else f'{size / 2**20:.1f} MiB'
