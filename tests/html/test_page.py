import re
from xml.etree import ElementTree

from markupsafe import Markup

from auglocal_mm.html import Section, page, side_by_side

HTML = page(
    'A <b> & C',
    Markup('<p>Equal.</p>'),
    [Section('First <i>', Markup('<p>one</p>')), Section('Second', Markup('<p>two</p>'))],
)


def test_text_is_escaped_and_html_is_not():
    assert '<h1>A &lt;b&gt; &amp; C</h1>' in HTML
    assert 'First &lt;i&gt;' in HTML and '<i>' not in HTML
    assert HTML.index('<p>Equal.</p>') < HTML.index('<p>one</p>') < HTML.index('<p>two</p>')


def test_the_contents_link_to_the_sections():
    links = re.findall(r'<a href="#(.*?)">(.*?)</a>', HTML)
    headings = re.findall(r'<h2 id="(.*?)">(.*?)</h2>', HTML)
    assert links == headings
    assert len(dict(links)) == 2


def test_it_is_well_formed():
    root = ElementTree.fromstring(HTML)
    assert root.get('lang') == 'en'
    assert [each.text for each in root.iter('h2')] == ['First <i>', 'Second']


def test_nothing_is_fetched():
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in HTML
    assert not re.search(r'https?:|//|@import|url\(|<script|<link', HTML)


def test_blocks_of_a_row():
    assert side_by_side([Markup('<p>1</p>'), Markup('<p>2</p>')]) == '<div class="row"><p>1</p><p>2</p></div>'
