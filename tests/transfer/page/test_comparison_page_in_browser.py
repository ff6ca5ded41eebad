"""A whole report in a real browser."""

from tests_browser import look_on_a_phone, needs_browser

from auglocal_mm.transfer import intervals
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.intervals import find_intervals
from auglocal_mm.transfer.page.comparison_page import to_html

pytestmark = needs_browser


def test_a_report_fits_a_phone_and_asks_nothing(make_evaluated, tmp_path, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    groups = {'BP': [make_evaluated('bp')], 'AugLocal with a long name': [make_evaluated('auglocal', shift=2.0)]}
    comparison = compare(groups)
    file = tmp_path / 'comparison.html'
    file.write_text(to_html(comparison, 'Transfer to COCO', find_intervals(comparison, 40, 0), 0.3))
    seen = look_on_a_phone(file, tmp_path)
    assert 'is worse than BP in box AP' in seen.text and '1.png' in seen.text
