import math

import pytest

from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.page.plots import (
    COLOURS,
    MARKERS,
    difference_limits,
    kinds,
    leaves,
    plot_convergence,
    plot_differences,
    plot_sizes,
    style,
)
from auglocal_mm.transfer.paired_interval import Interval


@pytest.fixture
def comparison(make_work_dir, validation):
    """BP with box AP 40 and 42 over two seeds, AugLocal with 38, without small objects."""
    groups = {
        'BP': [make_work_dir(f'bp{seed}', {'t': [validation(12, box)]}) for seed, box in enumerate((0.40, 0.42))],
        'AugLocal': [make_work_dir('auglocal', {'t': [validation(12, 0.38, bbox_mAP_s=-1.0)]})],
    }
    return compare(groups)


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(map(math.prod, zip(linear, (0.2126, 0.7152, 0.0722), strict=True)))


@pytest.mark.parametrize('colour', COLOURS)
@pytest.mark.parametrize('page', ['#ffffff', '#15171a'])
def test_colours_suit_light_and_dark_pages(colour, page):
    """A contrast of 3, which WCAG 2 asks of graphics."""
    low, high = sorted((luminance(colour), luminance(page)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_names_differ_in_colour_and_marker(comparison):
    assert len({*COLOURS}) == len(COLOURS) == len({*MARKERS})
    first, second = (style(comparison, name) for name in comparison.groups)
    assert all(first[key] != second[key] for key in ('color', 'marker', 'label'))


def test_differences_from_the_top_with_their_intervals():
    finite, infinite = Interval(1.5, 0.5, 0.1, None, 0.1, None), Interval(-2.0, math.inf, 0.1, None, 0.1, None)
    figure = plot_differences({'cat': finite, 'dog': infinite}, 0.3, {'color': 'red', 'marker': 'o'}, 'points')
    (axes,) = figure.axes
    _, interval, cat, dog = axes.lines
    assert [*interval.get_xdata()] == [1.0, 2.0]
    assert [(each.get_xdata()[0], each.get_ydata()[0]) for each in (cat, dog)] == [(1.5, 0), (-2.0, 1)]
    assert (cat.get_fillstyle(), dog.get_fillstyle()) == ('full', 'none')
    bottom, top = axes.get_ylim()
    assert bottom > top, 'the first row is at the top'
    assert [each.get_text() for each in axes.get_yticklabels()] == ['cat', 'dog']
    (margin,) = axes.patches
    assert (margin.get_x(), margin.get_width()) == pytest.approx((-0.3, 0.6))


def test_a_wide_interval_leaves_the_plot_and_does_not_squeeze_the_others():
    usual, wide = Interval(1.0, 2.0, 0.1, None, 0.1, None), Interval(3.0, 90.0, 0.1, None, 0.1, None)
    figure = plot_differences({'cat': usual, 'dog': usual, 'emu': wide}, 0.3, {'color': 'red', 'marker': 'o'}, 'points')
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert low < -3 <= 9 < high < 10, 'three times the median half-width to either side of the wide one'
    arrows = [(line.get_marker(), line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines[-2:]]
    assert arrows == [('<', low, 2), ('>', high, 2)]
    assert [leaves(each, low, high) for each in (usual, wide)] == [False, True]


@pytest.mark.parametrize(
    ('differences', 'widths', 'margin', 'ends'),
    [
        ([0.0, 0.0], [0.0, 0.2], 0.3, (-0.33, 0.33)),  # the margin is shown whole, and what lies within it
        ([-2.0, 8.0], [math.inf, math.inf], 0.0, (-2.5, 8.5)),
        ([0.0], [0.0], 0.0, (-1.0, 1.0)),
    ],
)
def test_all_differences_and_the_margin_are_in_the_plot(differences, widths, margin, ends):
    intervals = [Interval(each, width, 0.1, None, 0.1, None) for each, width in zip(differences, widths, strict=True)]
    assert difference_limits(intervals, margin) == pytest.approx(ends)


def test_sizes_are_the_means_and_their_deviations(comparison):
    (axes,) = plot_sizes(comparison, 'bbox').axes
    (bp, _, (bars,)), (auglocal, _, _) = (each.lines for each in axes.containers)
    assert bp.get_ydata().tolist() == pytest.approx([31, 41, 51])
    assert auglocal.get_ydata().tolist() == pytest.approx([math.nan, 38, 48], nan_ok=True)
    low, high = bars.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((31 - 2**0.5, 31 + 2**0.5))


def test_convergence_of_runs_and_their_mean(comparison):
    runs = [{1: 10.0, 2: 20.0, 3: 30.0}, {1: 20.0, 3: None}]
    curves = {'BP': [{step: {'bbox_mAP': value} for step, value in run.items()} for run in runs]}
    (axes,) = plot_convergence(comparison, curves, 'bbox', 'epoch').axes
    first, second, mean = ([each.get_xdata().tolist(), each.get_ydata().tolist()] for each in axes.lines)
    assert first == [[1, 2, 3], [10, 20, 30]]
    assert second[0] == [1, 3] and math.isnan(second[1][1])
    assert mean[0] == [1, 3] and mean[1][0] == 15 and math.isnan(mean[1][1])
    assert axes.get_xlabel() == 'epoch'


def test_epochs_are_whole_where_there_is_one(comparison):
    curves = {'BP': [{1: {'bbox_mAP': 10.0}}]}
    (axes,) = plot_convergence(comparison, curves, 'bbox', 'epoch').axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_kinds_are_those_that_were_measured(comparison, make_work_dir, validation):
    assert kinds(comparison) == ['bbox', 'segm']
    line = {key: value for key, value in validation(12).items() if 'segm' not in key}
    boxes = {name: [make_work_dir(name, {'t': [line]})] for name in 'ab'}
    assert kinds(compare(boxes)) == ['bbox']
