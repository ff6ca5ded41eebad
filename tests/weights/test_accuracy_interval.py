import pytest

from auglocal_mm.weights.accuracy_interval import accuracy_interval

# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, Table I, method 3
PUBLISHED = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(('correct', 'images', 'low', 'high'), PUBLISHED)
def test_equals_published_intervals(correct, images, low, high):
    assert accuracy_interval(100 * correct / images, images) == pytest.approx((100 * low, 100 * high), abs=0.005)
