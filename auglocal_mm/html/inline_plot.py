"""A figure of matplotlib inside a page, in the page's colours and font."""

import io
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

_NO_METADATA = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
BLACK = '#000000'


def inline_plot(figure: Figure, alt: str, caption: str = '') -> Markup:
    """The figure as SVG. What is black in it has the colour of the page's text; there is no background.

    Draw it about 5 inches wide, so that its text is still readable on a phone, and in colours that suit both a light and a
    dark page.

    Args:
        figure: The figure.
        alt: What it shows, for readers who do not see it; of its own on the page.
        caption: Text below it.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name may contain a dollar sign
    for legend in figure.findobj(Legend):
        legend.set_frame_on(False)
    file = io.StringIO()
    with rc_context({'svg.fonttype': 'none', 'svg.hashsalt': alt}):
        figure.savefig(file, format='svg', transparent=True, metadata=_NO_METADATA)
    svg = Markup(_for_html(file.getvalue(), alt))
    width = figure.get_size_inches()[0]
    return Markup('<figure class="plot" style="max-width: {}in">{}{}</figure>').format(width, svg, _caption(caption))


def _caption(caption: str) -> Markup:
    return Markup('<figcaption>{}</figcaption>').format(caption) if caption else Markup('')


def _for_html(svg: str, alt: str) -> str:
    """The SVG without namespaces, sizes, its own style sheet, and names that nothing in it refers to."""
    root = ElementTree.fromstring(svg)
    for each in root.iter():
        each.tag = each.tag.rpartition('}')[2]
        named = {name.rpartition('}')[2]: value for name, value in each.items()}
        if f'#{named.get("id")}' not in svg:
            named.pop('id', None)
        each.attrib.clear()
        each.attrib.update({name: value.replace(BLACK, 'currentColor') for name, value in named.items()})
    for defs in root.findall('defs'):
        for style in defs.findall('style'):
            defs.remove(style)
    view = root.attrib['viewBox']
    root.attrib.clear()
    root.attrib.update({'role': 'img', 'aria-label': alt, 'viewBox': view})
    return ElementTree.tostring(root, encoding='unicode')
