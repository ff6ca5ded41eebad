"""A page that contains all it shows, and asks no network for anything."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_ENVIRONMENT = Environment(
    loader=PackageLoader('auglocal_mm', 'html'),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        heading: Its heading, which the contents list.
        content: HTML, such as :func:`from_markdown` and :func:`inline_plot` return, joined.
    """

    heading: str
    content: Markup


def page(title: str, summary: Markup, sections: Sequence[Section]) -> str:
    """The page, in English.

    Args:
        title: Its title and heading.
        summary: HTML above the contents, in which the reader finds the result.
        sections: What follows.
    """
    return _ENVIRONMENT.get_template('page.jinja').render(title=title, summary=summary, sections=sections)


def side_by_side(blocks: Iterable[Markup]) -> Markup:
    """Blocks in a row, as many as fit; below one another on a phone."""
    return Markup('<div class="row">{}</div>').format(Markup('').join(blocks))
