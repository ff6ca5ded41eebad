"""How precisely a validation set measures an accuracy."""

from scipy import stats


def accuracy_interval(accuracy: float, num_images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy over random images; it is of one training, and says nothing of other seeds.

    Args:
        accuracy: In percent.
        num_images: That it was measured on, at least 1.

    Returns:
        Both ends, in percent.
    """
    correct = round(accuracy / 100 * num_images)
    interval = stats.binomtest(correct, num_images).proportion_ci(method='wilson')
    return 100 * interval.low, 100 * interval.high
