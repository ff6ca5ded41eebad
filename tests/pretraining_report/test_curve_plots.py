import math

import pytest
from matplotlib.colors import to_rgb

from auglocal_mm.pretraining_report.curve_plots import (
    MOST_POINTS,
    RUNS,
    limits,
    module_colours,
    plot_modules,
    plot_runs,
    thinned,
)

NAMES = [f'layer{index}' for index in range(17)]
PAGES = ('#ffffff', '#15171a')


def luminance(colour: str) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """As of WCAG 2."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize('page', PAGES)
def test_every_line_is_seen_on_a_light_and_on_a_dark_page(page):
    """With the contrast that WCAG 2 asks of graphics."""
    assert min(contrast(colour, page) for colour in [*module_colours(NAMES).values(), *RUNS]) > 3


def test_modules_have_colours_of_their_own():
    assert list(module_colours(NAMES)) == NAMES
    assert len(set(module_colours(NAMES).values())) == 17
    assert len(module_colours(['network'])) == 1


def test_a_figure_of_seventeen_modules():
    curves = {name: [(1, float(index)), (2, index / 2)] for index, name in enumerate(NAMES)}
    figure = plot_modules({'loss': curves, 'accuracy': curves}, 'epoch', {'loss': (0, 9), 'accuracy': (0, 100)}, 8)
    loss, accuracy = figure.axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[index, index / 2] for index in range(17)]
    assert [line.get_color() for line in loss.lines] == list(module_colours(NAMES).values())
    assert (loss.get_ylim(), accuracy.get_ylim(), loss.get_xlim()) == ((0, 9), (0, 100), (0, 8))
    assert (loss.get_ylabel(), accuracy.get_ylabel(), accuracy.get_xlabel()) == ('loss', 'accuracy', 'epoch')


def test_equal_curves_of_two_runs_are_both_seen():
    figure = plot_runs({'BP': [(1, 0.1), (2, 0.2)], 'AugLocal': [(1, 0.1), (2, 0.2)]}, 'epoch', 'rate', from_zero=True)
    first, second = figure.axes[0].lines
    assert first.get_color() != second.get_color() and first.get_linestyle() != second.get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['BP', 'AugLocal']
    bottom, top = figure.axes[0].get_ylim()
    assert bottom == 0 and top > 0.2, 'the highest point lies below the edge'


def test_one_run_needs_no_legend_and_one_point_is_seen():
    figure = plot_runs({'BP': [(1, 0.1)]}, 'epoch', 'rate')
    assert not figure.legends and figure.axes[0].lines[0].get_marker() == '.'


def test_long_curves_are_averaged():
    points = [(step, step / 2) for step in range(1, 1201)]
    few = thinned(points)
    assert len(few) == MOST_POINTS
    assert few[0] == (5.5, 2.75) and few[-1] == (1195.5, 597.75)
    assert thinned(points[:7]) == points[:7]
    assert thinned([]) == []


def test_values_of_a_diverged_training_do_not_hide_the_others():
    points = [(1, 1.0), (2, 3.0), (3, math.inf), (4, math.nan)]
    assert limits([points]) == pytest.approx((0.92, 3.08))
    figure = plot_runs({'BP': points}, 'epoch', 'loss')
    assert list(figure.axes[0].lines[0].get_ydata()) == [1.0, 3.0]


def test_limits_of_a_constant_and_of_nothing():
    assert limits([[(1, 2.0)]]) == (1.0, 3.0)
    low, high = limits([])
    assert low < high
