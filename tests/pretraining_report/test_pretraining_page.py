import re
from xml.etree import ElementTree

from tests_pretrainings import MODULES, backpropagation, pretraining

from auglocal_mm.pretraining_report.pretraining_page import pretraining_page


def headings(html: str) -> list[str]:
    return re.findall(r'<h2[^>]*>(.*?)</h2>', html)


def test_the_page_of_one_run():
    html = pretraining_page([pretraining()])
    ElementTree.fromstring(html)
    sections = ['What was trained', 'Result', 'Local modules', 'Learning rate, time and memory']
    assert headings(html) == sections
    summary = html[html.index('class="summary"') : html.index('<nav')]
    assert 'AugLocal: ResNet-34, trained in 3 local modules with AugLocalHead(depth=5)' in summary
    assert '60.25\N{NO-BREAK SPACE}%.' in summary
    assert 'feed' * 16 in html
    assert all(f'<td>{module}</td>' in html for module in MODULES)
    assert 'in iteration 20:' in html


def test_the_page_of_several_runs():
    html = pretraining_page([backpropagation(), pretraining()])
    ElementTree.fromstring(html)
    assert headings(html)[-1] == 'Settings that differ'
    assert re.findall('<h3>(.*?)</h3>', html) == ['BP', 'AugLocal']
    assert html.count('<li>') == 2 + len(headings(html))
    assert '<th scope="row">model.auxiliary_heads.depth</th>' in html


def test_equal_settings_are_said_to_be_so():
    html = pretraining_page([pretraining('a'), pretraining('b', randomness={'seed': 8})])
    assert 'None, apart from seeds and folders.' in html


def test_descriptions_are_of_their_own():
    labels = re.findall('aria-label="(.*?)"', pretraining_page([pretraining('a'), pretraining('b')]))
    assert len(labels) == len(set(labels)) > 5


def test_names_are_text():
    html = pretraining_page([pretraining('<b>$x$|_y_'), backpropagation()])
    ElementTree.fromstring(html)
    assert '<b>' not in html and '&lt;b&gt;$x$|_y_' in html
