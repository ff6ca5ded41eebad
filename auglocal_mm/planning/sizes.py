"""Parses and formats sizes of memory."""

import re

from auglocal_mm.errors import InputError

UNITS = {'B': 1} | {f'{letter}B': 1000**power for power, letter in enumerate('KMGT', 1)}
UNITS |= {f'{letter}IB': 1024**power for power, letter in enumerate('KMGT', 1)}


def parse_size(text: str, name: str) -> float:
    """``'8GiB'``, the value of the setting ``name``, in bytes.

    Raises:
        InputError: The number is missing, or the unit is unknown.
    """
    match = re.fullmatch(r'\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)\s*', text)
    if match is None or match[2].upper() not in UNITS:
        raise InputError(
            f'{name} is {text!r}; expected a number and one of B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, as in 8GiB'
        )
    return float(match[1]) * UNITS[match[2].upper()]


def format_size(size: float) -> str:
    """Bytes as GiB, or as MiB where GiB would leave no digits."""
    return f'{size / 2**30:.2f} GiB' if size >= 2**30 / 10 else f'{size / 2**20:.1f} MiB'
