import re
from xml.etree import ElementTree

import pytest

from auglocal_mm.transfer import intervals
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.intervals import find_intervals
from auglocal_mm.transfer.labels import signed
from auglocal_mm.transfer.page import figures as page_figures
from auglocal_mm.transfer.page.figures import category_figures, convergence_figures, metric_figures, size_figures


@pytest.fixture
def evaluated(make_evaluated):
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', shift=2.0)]})
    return comparison, find_intervals(comparison, 40, 0)


def figures(html):
    """Alternative text and caption of each figure."""
    root = ElementTree.fromstring(f'<div>{html}</div>')
    return {each.find('svg').get('aria-label'): each.findtext('figcaption') for each in root.iter('figure')}


def test_differences_are_told_to_those_who_do_not_see_them(evaluated, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    comparison, _ = evaluated
    found = find_intervals(comparison, 40, 0)
    spoken, masks = figures(metric_figures(comparison, found, 0.3))
    assert spoken.startswith('AugLocal minus BP: box AP: box AP ') and masks.startswith('AugLocal minus BP: mask AP: ')
    for metric, name in (('bbox_mAP', 'box AP'), ('bbox_mAP_s', 'box APs')):
        each = found.metrics['AugLocal'][metric]
        assert f'{name} {signed(each.difference)} from {signed(each.low)} to {signed(each.high)}' in spoken
    assert 'APl' not in spoken, 'there are no large objects'
    assert '±0.5 points' in metric_figures(comparison, found, 0.5)


def test_what_a_name_does_not_have_is_not_drawn(make_evaluated):
    comparison = compare({'BP': [make_evaluated('bp')], 'boxes': [make_evaluated('boxes', metric='bbox')]})
    found = find_intervals(comparison, 40, 0)
    for drawn in (metric_figures, category_figures):
        (spoken,) = figures(drawn(comparison, found, 0.3))
        assert spoken.startswith('boxes minus BP: box AP')


def test_categories_are_ordered_by_their_difference(make_evaluated, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', shift=2.0)]})
    found = find_intervals(comparison, 40, 0)
    (spoken, caption), _ = figures(category_figures(comparison, found, 0.3)).items()
    differences = [float(each.replace('−', '-')) for each in re.findall(r'(?:cat|dog) ([+−]\d+\.\d)', spoken)]
    assert len(differences) == 2 and differences == sorted(differences, reverse=True)
    assert 'Hollow' not in caption
    monkeypatch.setattr(page_figures, 'MOST_CATEGORIES', 1)
    (spoken, _), _ = figures(category_figures(comparison, found, 0.3)).items()
    largest = max(found.categories['AugLocal']['bbox'].items(), key=lambda item: abs(item[1].difference))
    assert re.findall(r'\b(?:cat|dog)\b', spoken) == [largest[0]]


def test_rare_categories_are_hollow(evaluated):
    (spoken, caption), _ = figures(category_figures(*evaluated, 0.3)).items()
    assert 'Hollow: objects in too few images' in caption
    assert 'inf' not in spoken


def test_without_intervals_there_are_no_differences(evaluated):
    comparison, _ = evaluated
    assert metric_figures(comparison, None, 0.3) == category_figures(comparison, None, 0.3) == ''


def test_sizes_of_several_runs_have_deviations(evaluated, make_evaluated):
    assert 'standard deviation' not in size_figures(evaluated[0])
    groups = {'BP': [make_evaluated('first')], 'AugLocal': [make_evaluated('a'), make_evaluated('b', shift=2.0)]}
    assert len(figures(size_figures(compare(groups)))) == 2
    assert 'standard deviation between runs' in size_figures(compare(groups))


def test_convergence(make_work_dir, validation):
    logs = {'t': [validation(1, 0.2), validation(2, 0.3)]}
    html = convergence_figures(compare({name: [make_work_dir(name, logs)] for name in ('BP', 'AugLocal')}))
    (spoken, caption), _ = figures(html).items()
    assert spoken == 'box AP by epoch. BP: 20.0, 30.0; AugLocal: 20.0, 30.0'
    assert 'by epoch' in caption
    assert '<p>' not in html


def test_runs_without_a_curve_are_named(evaluated, make_evaluated):
    comparison, _ = evaluated
    html = convergence_figures(comparison)
    for name, (run,) in comparison.groups.items():
        assert f'<p>There is no curve of {run.work_dir}, which has no log of a validation.</p>' in html, name
    assert figures(html) == {}
    log = comparison.groups['BP'][0].work_dir / 't' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('[]\n')
    assert f'line 1 of {log}' in convergence_figures(comparison), 'the comparison itself does not need it'
