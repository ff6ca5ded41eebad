"""Writes a report of pretrainings as one HTML file: what was trained, its accuracy, and the curves of every local module."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_text
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.pretraining_report.pretraining_page import pretraining_page
from auglocal_mm.pretraining_report.pretraining_run import PretrainingRun, read_pretraining_run

PAGE = 'pretraining.html'


def read_runs(given: Sequence[str]) -> list[PretrainingRun]:
    """Reads the runs that the command line names.

    Raises:
        InputError: Two have one name, or as :func:`read_pretraining_run`.
    """
    runs: dict[str, PretrainingRun] = {}
    for each in given:
        name, work_dir = _named(each)
        if name in runs:
            raise InputError(f'the name {name} is given twice; name the runs, as in first={work_dir}')
        runs[name] = read_pretraining_run(name, work_dir)
    return list(runs.values())


def _named(text: str) -> tuple[str, Path]:
    """A run's name and its work_dir, which is named by its folder unless it is given a name."""
    name, _, work_dir = text.partition('=')
    if not work_dir or not name or Path(text).exists():
        return Path(text).resolve().name, Path(text)
    return name, Path(work_dir)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and the runs, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar='[NAME=]WORK_DIR', help='default name: that of the folder')
    parser.add_argument(
        '--out', type=Path, required=True, metavar='PATH', help=f'the report, *.html, or a folder for {PAGE}'
    )
    options = parser.parse_args(arguments)
    path = options.out if options.out.suffix == '.html' else options.out / PAGE
    write_text(path, pretraining_page(read_runs(options.runs)))
    print(f'wrote {path}')


if __name__ == '__main__':
    main()
