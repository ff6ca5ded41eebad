"""Measures how often the interval of a comparison contains the true difference, on simulated detectors."""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from simulated_detectors import Images, statistics

from auglocal_mm.evaluation.weighted_statistics import weighted_statistics
from auglocal_mm.transfer.bootstrap import image_weights
from auglocal_mm.transfer.paired_interval import paired_interval

ABILITIES = (0.0, 0.1)
"""Of the control and of the other detector, on average over seeds."""
CATEGORIES = 4
FALSE_ALARMS = 20
"""Per image."""
MANY = 20_000
"""Number of images that stand for all."""


def detector(images: Images, num_images: int, ability: float, spread: float, seed: int) -> NDArray[np.float64]:
    """The AP of all images and of each resample, in points."""
    trained = ability + spread * np.random.default_rng(seed).normal()
    matches = images.detect(trained, FALSE_ALARMS * num_images, seed)
    return 100 * weighted_statistics(matches, image_weights(num_images, 200, 0))[:, 0]


def true_difference(spread: float) -> float:
    """The difference over many images, and over seeds of three abilities with the right mean and variance."""
    images = Images(MANY, CATEGORIES, seed=0)
    offsets = spread * np.array([-(1.5**0.5), 0, 1.5**0.5])
    means = [
        np.mean([statistics(images.detect(ability + each, FALSE_ALARMS * MANY, 1))[0] for each in offsets])
        for ability in ABILITIES
    ]
    return float(means[1] - means[0])


def coverage(comparisons: int, num_images: int, seeds: int, spread: float) -> float:
    """The share of comparisons whose interval contains the true difference."""
    truth, hits = true_difference(spread), []
    for number in track(range(1, comparisons + 1), transient=True):
        images = Images(num_images, CATEGORIES, seed=number)
        runs = [
            [detector(images, num_images, ability, spread, 1000 * number + 100 * name + each) for each in range(seeds)]
            for name, ability in enumerate(ABILITIES)
        ]
        interval = paired_interval(*map(np.array, runs))
        hits.append(interval.low <= truth <= interval.high)
    return float(np.mean(hits))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the coverage with one seed of each name and with several."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--comparisons', type=int, default=300)
    parser.add_argument('--images', type=int, default=300)
    options = parser.parse_args(argv)
    for seeds, spread in ((1, 0.0), (2, 0.05), (3, 0.05)):
        share = coverage(options.comparisons, options.images, seeds, spread)
        print(f'{seeds} seed(s) of each name, abilities spread by {spread}: {100 * share:.1f} %', flush=True)


if __name__ == '__main__':
    main()
