import json
import re

import pytest

from auglocal_mm.transfer import intervals
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.comparison_report import to_json, to_markdown
from auglocal_mm.transfer.interval_report import NO_VERDICT, with_interval
from auglocal_mm.transfer.intervals import Intervals, find_intervals
from auglocal_mm.transfer.labels import signed
from auglocal_mm.transfer.page.verdict_sentences import verdict_sentences
from auglocal_mm.transfer.paired_interval import Interval
from auglocal_mm.transfer.verdict import NOTHING_DETECTED


@pytest.fixture
def told(make_evaluated, monkeypatch):
    """The text and the JSON of two names with so many seeds."""
    monkeypatch.setattr(intervals, 'FEWEST', 1)

    def told(seeds=1, margin=0.3):
        shifts = {'BP': (0.0, 1.0), 'Aug|Local': (9.0, 9.5), 'same': (0.0, 1.0)}
        comparison = compare(
            {
                name: [make_evaluated(f'{name}{shift}', shift=shift) for shift in of_name[:seeds]]
                for name, of_name in shifts.items()
            }
        )
        result = find_intervals(comparison, 40, 0)
        text = to_markdown(comparison, 'Title', result, margin)
        return text, json.loads(json.dumps(to_json(comparison, 'Title', result, margin), allow_nan=False))

    return told


def test_a_difference_with_its_interval():
    interval = Interval(0.52, 0.44, 0.1, None, 0.1, None)
    assert with_interval(0.52, interval) == '+0.5 [+0.1, +1.0]'
    assert with_interval(-0.52, None) == '−0.5'
    assert with_interval(None, None) == 'n/a'
    assert with_interval(-0.04, Interval(-0.04, 0.04, 0.1, None, 0.1, None)) == '0.0 [−0.1, 0.0]'


def test_text_says_what_the_intervals_are(told):
    text, report = told()
    assert re.search(r'95 %.*\b40\b.*\b3\b images', text)
    assert r'BP, Aug\|Local, same (one seed)' in text
    assert 'With one seed' in text
    difference = report['names']['Aug|Local']['intervals']['bbox_mAP']
    value, low, high = (signed(difference[each], 2) for each in ('difference', 'low', 'high'))
    assert rf'| Aug\|Local | box AP | {value} [{low}, {high}] | worse |' in text
    assert '| same | box AP | 0.00 [0.00, 0.00] | equal |' in text
    assert r'Aug\|Local, box AP: the intervals of 2 of 2 categories' in text
    assert '| dog | −' in text


def test_margin_moves_the_verdict(told):
    text, report = told(margin=1000)
    assert '±1000 points' in text
    assert report['names']['Aug|Local']['verdicts']['bbox_mAP']['obstacle'] == NOTHING_DETECTED
    assert report['bootstrap'] == {'level': 0.95, 'replicates': 40, 'seed': 0, 'num_images': 3, 'margin': 1000}


def test_detectors_without_a_right_box_get_no_verdict(make_evaluated, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    comparison = compare({name: [make_evaluated(name, shift=30.0 + index)] for index, name in enumerate(('BP', 'far'))})
    text = to_markdown(comparison, 'Title', find_intervals(comparison, 40, 0), 0.3)
    assert '| far | box AP | 0.00 [0.00, 0.00] | undecided |' in text
    assert 'no AP is above the margin' in text


def test_several_seeds_have_both_spreads(told):
    text, report = told(seeds=2)
    assert 'one seed' not in text
    interval = report['names']['Aug|Local']['intervals']['bbox_mAP']
    assert f'| {interval["between_images"]:.2f} | {interval["between_seeds"]:.2f} |' in text


def test_it_says_which_runs_share_a_backbone(make_work_dir):
    def runs(name, checkpoints):
        return [make_work_dir(f'{name}{seed}', checkpoint=f'{each}.pth') for seed, each in enumerate(checkpoints)]

    comparison = compare({'B|P': runs('bp', 'aab'), 'AugLocal': runs('auglocal', 'cc'), 'own': runs('own', 'de')})
    found = {'AugLocal': {'bbox_mAP': Interval(0.5, 0.4, 1.0, 0.1, 1.0, None)}, 'own': {}}
    told = Intervals(1000, 0, 5000, found, {'AugLocal': {}, 'own': {}}, [])
    shared = r'B\|P: 3 runs of 2 backbones, AugLocal: 2 runs of 1 backbone'
    text = to_markdown(comparison, 'Title', told, 0.3)
    assert f'Not fully included is the spread between pretrainings of {shared}.' in text
    assert (
        f'With several runs of one backbone ({shared}), a verdict is about these backbones, not about the method.'
        in text
    )
    assert 'B|P: 3 runs of 2 backbones' in verdict_sentences(comparison, told, 0.3)


def test_the_control_has_no_interval(told):
    _, report = told()
    assert 'intervals' not in report['names']['BP']
    assert list(report['names']['same']['category_intervals']['segm']) == ['cat', 'dog']


def test_rare_categories_have_a_difference_alone(told, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 4)
    text, report = told()
    assert re.search(r'Categories .*fewer than 10 images, of which there are 2\b', text)
    assert 'box AP: no category has an interval' in text
    assert 'APs without brackets' in text
    assert re.search(r'\| box AP \| −\d+\.\d\d \| undecided \|.*too few images', text)
    dog = report['names']['Aug|Local']['category_intervals']['bbox']['dog']
    assert list(dog) == ['difference'] and dog['difference'] < 0


def test_without_objects_there_is_no_verdict(make_evaluated):
    def no_objects(content):
        content['annotations'] = []

    comparison = compare({name: [make_evaluated(name, change=no_objects)] for name in ('BP', 'AugLocal')})
    result = find_intervals(comparison, 40, 0)
    assert NO_VERDICT in to_markdown(comparison, 'Title', result, 0.3)
    assert NO_VERDICT in verdict_sentences(comparison, result, 0.3)


def test_text_says_why_there_are_none(make_evaluated):
    old = make_evaluated('old', recorded=False)
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [old]})
    text = to_markdown(comparison)
    assert f'no intervals: `{old}`' in text and 'tools/test.py' in text
    assert '## Verdict' not in text and '## Categories' not in text
    assert to_json(comparison)['bootstrap'] == {'without_matches': [str(old)]}
