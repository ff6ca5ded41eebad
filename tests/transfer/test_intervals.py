import json

import numpy as np
import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer import intervals
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.intervals import find_intervals, without_matches


def found(groups, **settings):
    return find_intervals(compare(groups), settings.pop('replicates', 40), 0, **settings)


def test_metrics_and_categories_have_intervals_around_the_recorded_differences(make_evaluated, monkeypatch):
    monkeypatch.setattr(intervals, 'FEWEST', 1)
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', shift=2.0)]})
    shares = []
    result = find_intervals(comparison, 40, 0, shares.append)
    assert (result.replicates, result.num_images, result.rare) == (40, 3, [])
    assert sum(shares) == pytest.approx(1)
    for metric, difference in comparison.differences['AugLocal'].items():
        interval = result.metrics['AugLocal'][metric]
        assert (interval and interval.difference) == pytest.approx(difference, abs=1e-4)
    box = result.metrics['AugLocal']['bbox_mAP']
    assert box.low < box.difference < box.high
    categories = result.categories['AugLocal']['bbox']
    assert list(categories) == ['cat', 'dog']
    assert box.difference == pytest.approx(np.mean([each.difference for each in categories.values()]))
    assert list(result.metrics) == list(result.categories) == ['AugLocal'], 'the control does not differ from itself'


def test_intervals_are_told_by_their_seed(make_evaluated):
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', shift=2.0)]})
    first, again, other = (find_intervals(comparison, 40, seed).metrics['AugLocal']['bbox_mAP'] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_several_seeds_are_averaged(make_evaluated):
    control, others = make_evaluated('bp'), [make_evaluated('a', shift=2.0), make_evaluated('b', shift=5.0)]
    both = found({'BP': [control], 'AugLocal': others}).metrics['AugLocal']['bbox_mAP']
    single = [found({'BP': [control], 'AugLocal': [each]}).metrics['AugLocal']['bbox_mAP'] for each in others]
    assert both.difference == pytest.approx(np.mean([each.difference for each in single]))
    assert both.between_seeds is not None and single[0].between_seeds is None


def test_categories_in_few_images_have_no_finite_interval(make_evaluated):
    control, other = make_evaluated('bp', change=no_cats), make_evaluated('auglocal', shift=2.0, change=no_cats)
    result = found({'BP': [control], 'AugLocal': [other]})
    assert result.rare == ['dog']
    cat, dog = result.categories['AugLocal']['bbox'].values()
    assert cat is None, 'it has no objects at all'
    assert (dog.low, dog.high) == (-np.inf, np.inf)
    assert dog.difference == pytest.approx(result.metrics['AugLocal']['bbox_mAP'].difference)


def test_sizes_in_few_images_have_no_finite_interval(make_evaluated, monkeypatch):
    """Of the three images, three have small objects, and one has a medium one: all resamples with it agree."""
    monkeypatch.setattr(intervals, 'FEWEST', 2)
    groups = {
        name: [make_evaluated(name, shift=shift, change=no_cats)] for name, shift in (('BP', 0.0), ('other', 2.0))
    }
    metrics = found(groups).metrics['other']
    assert np.isfinite(metrics['bbox_mAP'].half_width) and np.isfinite(metrics['bbox_AR_s@1000'].half_width)
    for metric in ('bbox_mAP_m', 'segm_mAP_m', 'bbox_AR_m@1000'):
        assert metrics[metric].half_width == np.inf
    assert metrics['bbox_mAP_l'] is None


def no_cats(content):
    content['annotations'] = [each for each in content['annotations'] if each['category_id'] == 2]


def test_boxes_are_compared_where_a_run_has_no_masks(make_evaluated):
    groups = {'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', metric='bbox')]}
    result = found(groups)
    assert list(result.categories['AugLocal']) == ['bbox']
    with pytest.raises(InputError, match=r'masks.*segm.*bbox'):
        found({'BP': groups['AugLocal'], 'masks': [make_evaluated('masks', metric='segm')]})


def rename(content):
    for image in content['images']:
        image['id'] += 10
    for each in content['annotations']:
        each['image_id'] += 10


def other_category(content):
    content['categories'][0]['id'] = 9
    for each in content['annotations']:
        each['category_id'] = {1: 9}.get(each['category_id'], each['category_id'])


def other_box(content):
    content['annotations'][0]['bbox'][2] += 1


@pytest.mark.parametrize(
    ('what', 'settings'),
    [
        ('images', {'change': rename, 'ids': {1: 11, 2: 12, 3: 13}}),
        ('categories', {'change': other_category}),
        ('annotations', {'change': other_box}),
        ('limits', {'proposal_nums': (1, 10, 100)}),
        ('thresholds', {'iou_thrs': np.array([0.5, 0.75])}),
    ],
)
def test_other_evaluations_are_refused(make_evaluated, what, settings):
    groups = {'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', **settings)]}
    with pytest.raises(InputError, match=rf'{groups["AugLocal"][0]}.*{what}.*{groups["BP"][0]}'):
        found(groups)


def test_work_dirs_without_matches_are_named(make_evaluated, make_work_dir):
    old, logged = make_evaluated('old', recorded=False), make_work_dir('logged')
    comparison = compare({'BP': [make_evaluated('bp')], 'AugLocal': [old, logged]})
    assert without_matches(comparison) == [old, logged]


def edit(work_dir, kind, item, change):
    path = work_dir / 'evaluation.json'
    record = json.loads(path.read_text())
    metrics = record['validation']['metrics']
    metrics[f'coco/{kind}_{item}'] = change(metrics[f'coco/{kind}_{item}'])
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(('kind', 'item', 'name'), [('bbox', 'mAP', 'BP'), ('segm', 'mAP_75', 'AugLocal')])
def test_a_record_that_says_another_ap_than_its_matches_is_refused(make_evaluated, kind, item, name):
    groups = {'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', shift=2.0)]}
    edit(groups[name][0], kind, item, lambda value: value - 0.0001)
    with pytest.raises(InputError, match=rf'{kind}_{item} .*{groups[name][0]}/evaluation\.json'):
        found(groups)


def test_a_record_with_fewer_statistics_agrees_with_its_matches(make_evaluated):
    assert found({'BP': [make_evaluated('bp')], 'AugLocal': [make_evaluated('auglocal', metric_items=['mAP'])]})
