"""Markdown of the reports as HTML, so that a report in both forms says the same."""

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

# What the reports use. Names of runs and categories stay as they are: no emphasis, links, images or HTML.
_PARSER = MarkdownIt('zero').enable(['table', 'list', 'heading', 'backticks', 'escape'])


def from_markdown(text: str) -> Markup:
    """Paragraphs, headings, lists, code and tables as HTML.

    A table scrolls in a box of its own. Its first column and its first row are headers.
    """
    tokens = _PARSER.parse(text)
    _scope_headers(tokens)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    boxed = html.replace('<table>', '<div class="scroll" tabindex="0"><table>').replace('</table>', '</table></div>')
    return Markup(boxed)


def _scope_headers(tokens: Sequence[Token]) -> None:
    """Marks the headers of rows and columns; an empty one is none."""
    for index, token in enumerate(tokens):
        in_head, first = token.type == 'th_open', tokens[index - 1].type == 'tr_open'
        if not in_head and not (token.type == 'td_open' and first):
            continue
        content, close = tokens[index + 1 : index + 3]
        token.tag = close.tag = 'th' if content.content else 'td'
        if content.content:
            token.attrSet('scope', 'col' if in_head else 'row')
