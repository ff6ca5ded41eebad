"""The measurements of intervals, on few simulated images."""

import sys

import numpy as np
import pytest
from tests_support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / 'projects/bootstrap_intervals'))

import measure_coverage
import measure_speed
import normal_model
from simulated_detectors import Images, statistics


def test_better_detectors_have_a_higher_ap():
    images = Images(60, 5, seed=0)
    low, high = (statistics(images.detect(ability, 500, seed=1)) for ability in (0.0, 1.0))
    assert (high[:12] > low[:12]).all()
    assert images.counts.sum() + 500 == images.detect(0.0, 500, seed=1).counts.sum()
    np.testing.assert_array_equal(statistics(images.detect(0.0, 500, seed=1)), low)


def test_speed(capsys):
    measure_speed.main(['--images', '40', '--categories', '3', '--detections', '900', '--bootstrap', '70'])
    assert '15 intervals from 70 resamples' in capsys.readouterr().out


@pytest.mark.parametrize(('shift', 'share'), [(0.0, 1.0), (90.0, 0.0)])
def test_coverage(monkeypatch, shift, share):
    """An interval contains a difference of about what it is, and none that is far off."""
    monkeypatch.setattr(measure_coverage, 'true_difference', lambda spread: 3.2 + shift)
    assert measure_coverage.coverage(2, 60, 2, 0.0) == share


def test_the_true_difference_is_that_of_many_images(monkeypatch):
    monkeypatch.setattr(measure_coverage, 'MANY', 1000)
    assert 2 < measure_coverage.true_difference(0.05) < 5


def test_redrawn_seeds_make_intervals_too_narrow(capsys):
    ours, hierarchical = normal_model.coverage(200, 2, normal_model.CASES['of seeds'])
    assert hierarchical < 0.8 < 0.92 < ours
    normal_model.main(['--comparisons', '3'])
    assert capsys.readouterr().out.count('|\n') == 2 + 3 * 4
