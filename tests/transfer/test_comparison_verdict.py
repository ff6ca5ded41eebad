import math

import pytest

from auglocal_mm.transfer.paired_interval import Interval, Z
from auglocal_mm.transfer.verdict import NOTHING_DETECTED, TOO_FEW_IMAGES, Verdict, judge


def interval(difference, half_width, images=1.0, seeds=None, shared=1.0, one_seed=None):
    return Interval(difference, half_width, images, seeds, shared, one_seed)


@pytest.mark.parametrize(
    ('difference', 'half_width', 'word'),
    [
        (0.5, 0.4, 'better'),
        (-0.5, 0.4, 'worse'),
        (0.1, 0.15, 'equal'),
        (-0.1, 0.15, 'equal'),
        (0.2, 0.05, 'equal'),  # other than zero, but not by as much as matters
        (0.1, 0.25, 'undecided'),
        (0.0, 0.4, 'undecided'),
        (0.4, 0.4, 'undecided'),
        (0.25, 0.1, 'better'),
    ],
)
def test_words(difference, half_width, word):
    assert judge(interval(difference, half_width), 0.3, 5000, 1, 30.0).word == word


def test_without_a_margin_only_identical_detectors_are_equal():
    assert judge(interval(0.0, 0.0), 0.0, 5000, 1, 30.0).word == 'equal'
    assert judge(interval(0.0, 0.1), 0.0, 5000, 1, 30.0).word == 'undecided'


@pytest.mark.parametrize(('margin', 'ap'), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.3)])
def test_detectors_that_detect_nothing_are_not_equal(margin, ap):
    assert judge(interval(0.0, 0.0), margin, 5000, 1, ap) == Verdict('undecided', obstacle=NOTHING_DETECTED)


def test_images_that_would_decide():
    """A standard error of 1 on 100 images is to fall to 0.5: to a quarter of the variance."""
    found = judge(interval(0.5 * Z, 1.96), 0.3, 100, 1, 30.0)
    assert found == Verdict('undecided', images=400, seeds=None)


def test_equality_may_be_decided_first():
    """Without a difference, the interval must be as narrow as the margin: a standard error of 0.5."""
    assert judge(interval(0.0, 1.96), 0.5 * Z, 100, 1, 30.0).images == 400


def test_spread_between_seeds_is_not_reduced_by_images():
    """The variance allowed is 1, of which the seeds take 0.75: a quarter of that of the images is allowed."""
    found = judge(interval(Z, 2.5925, images=1.0, seeds=math.sqrt(0.75)), 0.3, 100, 2, 30.0)
    assert found.images == 400
    assert judge(interval(Z, 2.8, seeds=1.0), 0.3, 100, 2, 30.0).images is None


def test_seeds_that_would_decide():
    """The variance allowed is 1, of which 0.75 are shared by all seeds; one seed adds 2."""
    found = judge(interval(Z, 2.6, seeds=0.5, shared=math.sqrt(0.75), one_seed=math.sqrt(2)), 0.3, 100, 3, 30.0)
    assert found.seeds == 8
    assert judge(interval(Z, 2.8, seeds=0.5, shared=1.1, one_seed=1.0), 0.3, 100, 3, 30.0).seeds is None


def test_an_interval_over_too_few_images_decides_nothing():
    for difference in (0.0, 5.0):
        found = judge(interval(difference, math.inf, images=0.0), 0.3, 100, 1, 30.0)
        assert found == Verdict('undecided', obstacle=TOO_FEW_IMAGES)


def test_number_of_seeds_that_would_decide_is_more_than_there_is():
    """With few seeds, Student's t may leave open what a normal distribution would decide; images do not change that."""
    found = judge(interval(Z, 9.0, images=0.1, seeds=0.1, shared=0.1, one_seed=0.1), 0.3, 100, 2, 30.0)
    assert (found.images, found.seeds) == (None, 3)
