"""Compares the COCO AP of detectors whose backbones were pretrained in different ways."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from auglocal_mm.analysis.tables import write_report
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.transfer.comparison import Comparison, compare
from auglocal_mm.transfer.comparison_report import to_json, to_markdown
from auglocal_mm.transfer.intervals import Intervals, find_intervals, without_matches
from auglocal_mm.transfer.page.comparison_page import to_html
from auglocal_mm.transfer.plot import plot
from auglocal_mm.transfer.verdict import MARGIN


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line.

    Raises:
        InputError: An option is out of range.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'groups',
        nargs='+',
        metavar='NAME=WORK_DIR[,WORK_DIR...]',
        help='a name and the work_dirs of its runs, one per seed; the first name is the control',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--title', default='Transfer to COCO', metavar='TEXT', help='heading of the report')
    parser.add_argument(
        '--bootstrap',
        type=int,
        default=1000,
        metavar='N',
        help='resamples of the images, for the intervals; default: 1000',
    )
    parser.add_argument(
        '--margin',
        type=float,
        default=MARGIN,
        help=f'AP points up to which detectors count as equal; default: {MARGIN}',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the resamples, and of the images that --html draws; default: 0'
    )
    parser.add_argument(
        '--html', action='store_true', help='also write comparison.html, one file with plots and photographs'
    )
    options = parser.parse_args(argv)
    for key, least in (('bootstrap', 2), ('margin', 0), ('seed', 0)):
        if not least <= getattr(options, key) < float('inf'):
            raise InputError(
                f'--{key} is {getattr(options, key)}, expected at least {least}; leave it out for the default'
            )
    return options


def parse_groups(groups: Sequence[str]) -> dict[str, list[Path]]:
    """Splits each ``NAME=WORK_DIR[,WORK_DIR...]`` at its first ``=`` and, unless the value is an existing folder, at commas.

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
            raise InputError(
                f'the name {name.strip()} is given twice; give its work_dirs after one =, separated by commas'
            )
        parsed[name.strip()] = [Path(work_dir) for work_dir in work_dirs]
    return parsed


def find(comparison: Comparison, replicates: int, seed: int) -> Intervals | None:
    """The intervals, with a progress bar; ``None`` if a run has no matches."""
    if without_matches(comparison):
        return None
    with Progress(transient=True) as progress:
        task = progress.add_task('resampling', total=1.0)
        return find_intervals(comparison, replicates, seed, lambda share: progress.advance(task, share))


@command_line_tool
def main(argv: Sequence[str] | None = None) -> None:
    """Runs the tool; bad input ends it with one line on stderr and exit status 1."""
    args = parse_args(argv)
    comparison = compare(parse_groups(args.groups))
    intervals = find(comparison, args.bootstrap, args.seed)
    told = (comparison, args.title, intervals, args.margin)
    page = to_html(*told) if args.html else None
    write_report(args.out, 'comparison', to_markdown(*told), to_json(*told), plot(comparison, args.title), page)


if __name__ == '__main__':
    main()
