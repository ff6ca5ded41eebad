from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.html import from_markdown


def test_headers_of_a_table_have_a_scope():
    table = from_markdown(markdown_table(['', 'box AP'], [['BP', '38.2'], ['', 'n/a']]))
    text = table.replace('\n', '')
    assert text.startswith('<div class="scroll" tabindex="0"><table>') and text.endswith('</table></div>')
    assert '<tr><td></td><th scope="col">box AP</th></tr>' in text
    assert '<tr><th scope="row">BP</th><td>38.2</td></tr>' in text
    assert '<tr><td></td><td>n/a</td></tr>' in text


def test_names_stay_as_they_are():
    """Also those that would be emphasis, a link, an image, or HTML."""
    names = ['*a* __b__', '[c](http://d)', '![e](http://f)', 'http://g', 'h|i']
    text = from_markdown(markdown_table(['', 'n'], [[name, '1'] for name in names]))
    for name in names:
        assert f'<th scope="row">{name}</th>' in text
    assert '&lt;script&gt;' in from_markdown('<script>') and '<script>' not in from_markdown('<script>')


def test_headings_lists_and_code():
    html = from_markdown('### Runs\n\n- one: `a_b_<c>`\n- two\n')
    assert '<h3>Runs</h3>' in html
    assert html.count('<li>') == 2
    assert '<code>a_b_&lt;c&gt;</code>' in html
