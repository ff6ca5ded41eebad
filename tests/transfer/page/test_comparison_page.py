import re
from xml.etree import ElementTree

import pytest

from auglocal_mm.transfer import intervals
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.comparison_report import to_markdown
from auglocal_mm.transfer.intervals import find_intervals
from auglocal_mm.transfer.page.comparison_page import to_html


@pytest.fixture
def report(make_evaluated, monkeypatch):
    """The page and the Markdown of the same comparison."""
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    shifts = {'BP': (0.0, 1.0), 'Aug | <b>': (9.0,)}
    comparison = compare(
        {
            name: [make_evaluated(f'{name[:3]}{shift}', shift=shift) for shift in of_name]
            for name, of_name in shifts.items()
        }
    )
    found = find_intervals(comparison, 40, 0)
    return to_html(comparison, 'Title <i>', found, 0.3), to_markdown(comparison, 'Title <i>', found, 0.3)


def text(element):
    return ''.join(element.itertext())


def test_the_tables_are_those_of_the_markdown(report):
    page, markdown = report
    tables = [
        [[text(cell) for cell in row] for row in table.iter('tr')]
        for table in ElementTree.fromstring(page).iter('table')
    ]
    lines = re.findall(r'^\| (.*) \|$', markdown, re.MULTILINE)
    cells = [[cell.strip('` ').replace(r'\|', '|') for cell in re.split(r' \| ?', line)] for line in lines]
    assert [row for table in tables for row in table] == [row for row in cells if set(row) != {'---'}]
    assert len(tables) >= 6


def test_the_verdict_comes_first_and_names_are_text(report):
    page, _ = report
    root = ElementTree.fromstring(page)
    first, verdict, *_ = (each for each in root.iter() if each.tag in ('h1', 'strong', 'h2'))
    assert (text(first), text(verdict)) == ('Title <i>', 'Aug | <b> is worse')
    assert [text(each) for each in root.iter('h2')] == [
        *('AP', 'Difference to BP', 'Verdict', 'Small, medium and large objects', 'Categories', 'Convergence'),
        *('Photographs', 'Settings that differ', 'Runs'),
    ]
    assert '<b>' not in page and '<i>' not in page


def test_it_needs_nothing_else_and_can_be_heard(report):
    page, _ = report
    root = ElementTree.fromstring(page)
    assert not re.search(r'https?:|@import|url\((?!#)|<script|<link', page)
    images = list(root.iter('img'))
    assert images and all(each.get('src').startswith('data:image/jpeg;base64,') for each in images)
    assert all(each.get('alt') for each in images)
    assert all(each.get('aria-label') for each in root.iter('svg'))
    assert all(each.get('scope') in ('col', 'row') and text(each) for each in root.iter('th'))
    ids = [each.get('id') for each in root.iter() if each.get('id')]
    assert len(ids) == len({*ids})
    linked = {each.get('href')[1:] for each in root.iter() if each.get('href')}
    assert linked <= {*ids}


def test_what_cannot_be_shown_is_replaced_by_the_reason(make_evaluated):
    bp, old = make_evaluated('bp'), make_evaluated('old', recorded=False)
    page = to_html(compare({'BP': [bp], 'AugLocal': [old]}), 'Title', None, 0.3)
    root = ElementTree.fromstring(page)
    assert 'There is no verdict.' in page and 'There are no intervals: ' in page
    assert f'There are no photographs: {old} has no recorded boxes' in page
    assert f'There is no curve of {bp}' in page
    assert not list(root.iter('img'))
    assert [text(each) for each in root.iter('h2')] == [
        *('AP', 'Difference to BP', 'Small, medium and large objects', 'Convergence', 'Photographs'),
        *('Settings that differ', 'Runs'),
    ]


def test_images_that_are_not_there_any_more(make_evaluated):
    groups = {name: [make_evaluated(name)] for name in ('BP', 'AugLocal')}
    images = groups['BP'][0] / 'images'
    images.rename(images.with_name('moved'))
    comparison = compare(groups)
    page = to_html(comparison, 'Title', find_intervals(comparison, 40, 0), 0.3)
    assert f'There are no photographs: there is no folder {images}' in page
    assert 'Verdict' in page
