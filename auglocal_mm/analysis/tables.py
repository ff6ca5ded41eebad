"""The output of every analysis: data as JSON, text as Markdown, a figure as PNG."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text

from auglocal_mm.files.atomic import atomic_write, write_json, write_text


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(map(cell, line))} |' for line in lines)


def cell(text: str) -> str:
    """``text`` on one line, with vertical bars escaped."""
    return ' '.join(text.split()).replace('|', r'\|')


def write_figure(path: Path, figure: Figure) -> None:
    """Writes ``figure`` to ``path`` as PNG, atomically."""
    with atomic_write(path) as temporary:
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a name may contain a dollar sign
        figure.savefig(temporary, format='png')


def write_report(
    out: Path, name: str, markdown: str, data: Any, figure: Figure | None, page: str | None = None
) -> None:
    """Writes ``name.md``, ``name.json`` and, if given, the figure ``name.png`` and the page ``name.html`` to ``out``.

    It prints the text and the paths.

    Raises:
        InputError: A file cannot be written.
    """
    if figure is not None:
        write_figure(out / f'{name}.png', figure)
    write_json(out / f'{name}.json', data)
    write_text(out / f'{name}.md', markdown)
    if page is not None:
        write_text(out / f'{name}.html', page)
    print(markdown)
    optional = {'png': figure, 'html': page}
    for suffix in ('md', 'json', *(suffix for suffix, given in optional.items() if given is not None)):
        print(f'wrote {out / f"{name}.{suffix}"}')
