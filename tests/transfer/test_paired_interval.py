import math

import numpy as np
import pytest
from scipy import stats

from auglocal_mm.transfer.paired_interval import Z, paired_interval


def test_one_seed_by_hand():
    """Differences of the resamples: 1, 2 and 3, with the sample variance 1."""
    interval = paired_interval(np.array([[40.0, 40, 41, 42]]), np.array([[42.5, 41, 43, 45]]))
    assert interval.difference == 2.5
    assert interval.between_images == pytest.approx(1)
    assert (interval.low, interval.high) == pytest.approx((2.5 - Z, 2.5 + Z))
    assert (interval.between_seeds, interval.one_seed) == (None, None)
    assert interval.shared == pytest.approx(1)


def test_images_that_are_hard_for_both_do_not_matter():
    hard = np.random.default_rng(0).normal(0, 9, 50)
    interval = paired_interval(40 + np.array([[0, *hard]]), 41 + np.array([[0, *hard]]))
    assert (interval.difference, interval.half_width) == pytest.approx((1, 0), abs=1e-9)


def test_several_seeds_by_hand():
    """Seeds 2 points apart on the same images have the variance 2, and their mean 1; of two names, the mean differs by 1 + 1.

    The resamples move all seeds alike, so that nothing of it is due to the images. Satterthwaite: 2 degrees of freedom from
    two equal variances with one each, more with that of the images, 1.
    """
    moved = np.array([-1.0, 0, 1])
    control, other = (np.array([[value, *(value + sign * moved)] for value in (40.0, 42)]) for sign in (0, 1))
    interval = paired_interval(control, 3 + other)
    assert interval.difference == 3
    assert (interval.between_images, interval.between_seeds) == pytest.approx((1, math.sqrt(2)))
    assert (interval.shared, interval.one_seed) == pytest.approx((1, 2))
    assert interval.half_width == pytest.approx(stats.t.ppf(0.975, 3**2 / 2) * math.sqrt(3))


def test_spread_between_seeds_that_the_images_explain_is_counted_once():
    """Each seed errs on images of its own, with a variance of 1; the seeds differ by no more."""
    rng = np.random.default_rng(0)
    errors = rng.normal(0, 1, (2, 3, 4000))
    seeds = np.array([[40.0], [41], [42]])
    control, other = (np.concatenate([seeds, seeds + each], axis=1) for each in errors)
    interval = paired_interval(control, other)
    assert interval.between_images == pytest.approx(math.sqrt(2 / 3), rel=0.05)
    assert interval.between_seeds == pytest.approx(0, abs=0.2)
    assert interval.shared == pytest.approx(0, abs=0.2)
    assert interval.one_seed == pytest.approx(math.sqrt(2), rel=0.05)


def test_one_name_may_have_a_single_seed():
    interval = paired_interval(np.array([[40.0, 40, 40], [42, 42, 42]]), np.array([[41.0, 40, 42]]))
    assert interval.between_seeds == pytest.approx(1)
    assert interval.one_seed is None


def test_resamples_without_objects_are_left_out():
    nan = float('nan')
    interval = paired_interval(np.array([[40.0, 40, nan, 40, 40]]), np.array([[41.0, 40, nan, 41, 42]]))
    assert (interval.difference, interval.between_images) == pytest.approx((1, 1))
    assert paired_interval(np.array([[nan, 40, 41]]), np.array([[nan, 40, 41]])) is None
    assert paired_interval(np.array([[40, 40, nan]]), np.array([[40, 40, nan]])) is None


@pytest.mark.parametrize(('seeds', 'spread', 'own'), [(1, 0, 1), (2, 1, 0), (2, 0, 1), (3, 1, 1), (5, 0.3, 0.3)])
def test_intervals_contain_the_true_difference_about_as_often_as_they_say(seeds, spread, own):
    """Normal errors: ``spread`` between seeds, ``own`` on the images of each seed, 0.5 on the images of a method."""
    rng, hits = np.random.default_rng(0), []
    for _ in range(400):
        runs = []
        for shared in (0, 0.5):
            trained = rng.normal(0, spread, (seeds, 1)) + rng.normal(0, own, (seeds, 1)) + rng.normal(0, shared)
            resampled = trained + rng.normal(0, own, (seeds, 60)) + rng.normal(0, shared, 60)
            runs.append(np.concatenate([trained, resampled], axis=1))
        interval = paired_interval(*runs)
        hits.append(interval.low <= 0 <= interval.high)
    assert 0.92 <= np.mean(hits) <= 0.98
