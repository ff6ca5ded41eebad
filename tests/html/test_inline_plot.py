import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from auglocal_mm.html import inline_plot


def example() -> Figure:
    figure = Figure(figsize=(5, 3))
    axes = figure.subplots()
    axes.plot([1, 2], [3, 5], marker='o', label='a $b$ <c>', color='#0072b2')
    axes.set_title('AP')
    axes.legend()
    return figure


def test_it_is_well_formed_and_described():
    figure = ElementTree.fromstring(inline_plot(example(), 'Two "points" & a line', 'It <rises>.'))
    svg = figure.find('svg')
    assert svg.attrib.keys() == {'role', 'aria-label', 'viewBox'}
    assert svg.get('aria-label') == 'Two "points" & a line'
    assert figure.findtext('figcaption') == 'It <rises>.'
    assert {'AP', 'a $b$ <c>'} <= {text.text for text in svg.iter('text')}


def test_black_is_the_colour_of_the_text_and_there_is_no_background():
    html = inline_plot(example(), 'a')
    assert '#000000' not in html and 'stroke: currentColor' in html
    assert '#ffffff' not in html
    assert '#0072b2' in html


def test_names_in_two_plots_do_not_clash():
    """As they would, if each plot kept those of its parts, such as axes_1."""
    first, second = (set(re.findall(r' id="(.*?)"', inline_plot(example(), alt))) for alt in 'ab')
    assert first and second and not first & second
    assert all(f'#{name}' in inline_plot(example(), 'a') for name in first)


def test_nothing_points_outside():
    assert 'http' not in inline_plot(example(), 'a') and '<style' not in inline_plot(example(), 'a')
