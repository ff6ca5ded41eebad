"""Reports as one HTML file that needs nothing else: text, tables, plots and photographs."""

from auglocal_mm.html.inline_photograph import inline_photograph
from auglocal_mm.html.inline_plot import inline_plot
from auglocal_mm.html.markdown import from_markdown
from auglocal_mm.html.page import Section, page, side_by_side

__all__ = ['Section', 'from_markdown', 'inline_photograph', 'inline_plot', 'page', 'side_by_side']
