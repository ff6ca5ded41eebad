import pytest

from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.intervals import Intervals
from auglocal_mm.transfer.page import verdict_sentences
from auglocal_mm.transfer.paired_interval import Interval


@pytest.fixture
def comparison(make_work_dir):
    return compare({'B<P': [make_work_dir('bp')], 'AugLocal': [make_work_dir('auglocal')]})


def told(comparison, difference, half_width, **settings):
    """The first sentence, and what follows the sentences."""
    interval = Interval(difference, half_width, 1.0, settings.get('seeds'), 1.0, None)
    intervals = Intervals(1000, 0, 5000, {'AugLocal': {'bbox_mAP': interval}}, {}, [])
    html = verdict_sentences.verdict_sentences(comparison, intervals, settings.get('margin', 0.3))
    sentence, _, rest = html.partition('</li>')
    return sentence.partition('<li>')[2], rest


@pytest.mark.parametrize(
    ('difference', 'half_width', 'expected'),
    [
        (0.5, 0.4, '<strong>AugLocal is better</strong> than B&lt;P in box AP: DIFFERENCE+0.50 [+0.10, +0.90]END.'),
        (-0.5, 0.4, '<strong>AugLocal is worse</strong> than B&lt;P in box AP: DIFFERENCE−0.50 [−0.90, −0.10]END.'),
        (
            *(0.1, 0.15),
            '<strong>AugLocal and B&lt;P are equal</strong> in box AP within ±0.3 points: DIFFERENCE+0.10 [−0.05, +0.25]END.',
        ),
        (
            *(0.2, 1.96),
            'Whether AugLocal is better or worse than B&lt;P in box AP is <strong>undecided</strong>: '
            'DIFFERENCE+0.20 [−1.76, +2.16]END. It would take 480,183 images to decide.',
        ),
    ],
)
def test_each_verdict_is_a_sentence(comparison, difference, half_width, expected):
    sentence, _ = told(comparison, difference, half_width)
    assert sentence == expected.replace('DIFFERENCE', '<span class="nowrap">').replace('END', '</span>')


def test_detectors_that_detect_too_little_get_no_verdict(comparison):
    sentence, _ = told(comparison, 0.0, 0.0, margin=100)
    assert sentence == (
        'Whether AugLocal is better or worse than B&lt;P in box AP is <strong>undecided</strong>: '
        'too little was detected, as no AP is above the margin.'
    )


def test_what_limits_it(comparison):
    _, rest = told(comparison, 0.5, 0.4)
    assert '95 % intervals from 5,000 images' in rest and '±0.3' in rest
    assert 'With one seed (B&lt;P, AugLocal)' in rest


def test_without_intervals_it_says_why(make_evaluated):
    old = make_evaluated('old', recorded=False)
    html = verdict_sentences.verdict_sentences(compare({'BP': [make_evaluated('bp')], 'AugLocal': [old]}), None, 0.3)
    assert f'There is no verdict. There are no intervals: <code>{old}</code>' in html
