import numpy as np

from auglocal_mm.transfer.bootstrap import image_weights


def test_each_resample_draws_as_many_images_with_replacement():
    weights = image_weights(50, 400, seed=0)
    assert weights.shape == (401, 50)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 50).all()
    assert weights.max() > 3
    # A binomial of 50 draws has the mean 1 and the variance 1 - 1/50.
    assert abs(weights[1:].var() - 0.98) < 0.05


def test_they_are_told_by_their_seed():
    np.testing.assert_array_equal(image_weights(9, 5, seed=1), image_weights(9, 5, seed=1))
    assert (image_weights(9, 5, seed=1) != image_weights(9, 5, seed=2)).any()
