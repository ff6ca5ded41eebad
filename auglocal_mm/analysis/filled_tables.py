"""Tables of a README that are filled from results; each is between ``<!-- table: NAME -->`` and ``<!-- end -->``."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_text

Tables: TypeAlias = Mapping[str, Callable[[], str]]
"""What makes each table, by its name."""
PLACE = re.compile(r'(<!-- table: (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)


def table_names(text: str) -> set[str]:
    """The names of the tables of ``text``."""
    return {name for _, name, _ in PLACE.findall(text)}


def fill(text: str, tables: Tables) -> str:
    """``text`` with every table filled.

    Raises:
        InputError: A table has an unknown name.
    """
    unknown = table_names(text) - set(tables)
    if unknown:
        raise InputError(f'the table {sorted(unknown)[0]} is unknown; choose one of {", ".join(tables)}')
    return PLACE.sub(lambda place: f'{place[1]}{tables[place[2]]()}\n{place[3]}', text)


def fill_files(paths: Sequence[Path], tables: Tables, description: str | None, arguments: Sequence[str] | None) -> None:
    """The command line of a script that fills the tables of some files, or checks them.

    Args:
        paths: The files.
        tables: Of all files.
        description: Of the script.
        arguments: Of the command line.

    Raises:
        InputError: A table is unknown or, with ``--check``, out of date.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--check', action='store_true', help='write nothing, and fail if a table is out of date')
    check = parser.parse_args(arguments).check
    for path in paths:
        text = path.read_text(encoding='utf-8')
        filled = fill(text, tables)
        if check and filled != text:
            raise InputError(f'a table of {path} differs from the results; run this without --check')
        if filled != text:
            write_text(path, filled)
            print(f'wrote {path}')
