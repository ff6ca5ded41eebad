"""Compares the COCO AP of detectors that differ in the pretraining of their backbones."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.analysis.transfer import compare
from auglocal_mm.analysis.transfer_plot import plot
from auglocal_mm.analysis.transfer_report import to_json, to_markdown
from auglocal_mm.errors import InputError
from auglocal_mm.files import atomic_write, write_json, write_text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'groups',
        nargs='+',
        metavar='NAME=WORK_DIR[,WORK_DIR...]',
        help='a name and the work_dirs of its runs, one per seed; the first name is the control',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--title', default='Transfer to COCO', metavar='TEXT', help='heading of the report')
    return parser.parse_args(argv)


def parse_groups(groups: Sequence[str]) -> dict[str, list[Path]]:
    """Splits each ``NAME=WORK_DIR[,WORK_DIR...]`` at its first ``=`` and, unless that names a folder, at commas.

    Raises:
        InputError: A part is missing, or a name is given twice.
    """
    parsed: dict[str, list[Path]] = {}
    for group in groups:
        name, _, value = group.partition('=')
        work_dirs = [value] if Path(value).is_dir() else value.split(',')
        if not name.strip() or not all(work_dirs):
            raise InputError(f'got {group!r}, expected NAME=WORK_DIR[,WORK_DIR...]; write for example BP=work_dirs/bp')
        if name.strip() in parsed:
            raise InputError(f'the name {name.strip()} is given twice; put its work_dirs behind one =, between commas')
        parsed[name.strip()] = [Path(work_dir) for work_dir in work_dirs]
    return parsed


def write_report(groups: Sequence[str], out: Path, title: str) -> None:
    """Writes ``comparison.md``, ``.json`` and ``.png`` to ``out`` and prints the first, and where they are."""
    comparison = compare(parse_groups(groups))
    markdown = to_markdown(comparison, title)
    write_text(out / 'comparison.md', markdown)
    write_json(out / 'comparison.json', to_json(comparison, title))
    with atomic_write(out / 'comparison.png') as temporary:
        plot(comparison, title).savefig(temporary, format='png')
    print(markdown)
    for suffix in ('md', 'json', 'png'):
        print(f'wrote {out / f"comparison.{suffix}"}')


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the tool; bad input ends it with one line on stderr and exit status 1."""
    args = parse_args(argv)
    try:
        write_report(args.groups, args.out, args.title)
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    main()
