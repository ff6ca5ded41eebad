"""Pages in a real browser: one that is as it should be, and what would be seen of one that is not."""

from markupsafe import Markup
from PIL import Image
from tests_browser import look, look_on_a_phone, needs_browser

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.html import Section, from_markdown, inline_photograph, page, side_by_side

pytestmark = needs_browser
WIDE = markdown_table(['', *(f'column {index}' for index in range(30))], [['row', *('0.12345' for _ in range(30))]])


def test_a_page_fits_a_phone_and_asks_nothing(tmp_path):
    photograph = inline_photograph(Image.new('RGB', (480, 320)), 'black', 'A caption')
    code = from_markdown(f'`{"path/" * 60}`')
    content = from_markdown(WIDE) + code + side_by_side([photograph, photograph])
    file = tmp_path / 'page.html'
    file.write_text(page('A ' + 'long' * 40, Markup('<p>Summary</p>'), [Section('One', content)]))
    seen = look_on_a_phone(file, tmp_path)
    assert 'Summary' in seen.text and 'A caption' in seen.text


def test_a_page_that_is_too_wide_or_asks_is_seen(tmp_path):
    file = tmp_path / 'page.html'
    wide, asks = '<p style="width: 900px">Wide.</p>', '<img src="https://example.invalid/x.png" alt="">'
    file.write_text(page('A', Markup(wide + asks), []))
    seen = look(file, tmp_path)
    assert seen.width > 360 and seen.broken == 1
    assert any('example.invalid' in message for message in seen.messages)
