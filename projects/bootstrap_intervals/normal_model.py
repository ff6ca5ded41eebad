"""Compares our intervals with the usual hierarchical bootstrap, which redraws seeds and images, in a normal model of errors."""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.transfer.paired_interval import paired_interval

RESAMPLES = 300
CASES = {
    'of seeds': (1.0, 0.0, 0.0),
    'of both': (1.0, 1.0, 0.0),
    'on images of each seed': (0.0, 1.0, 0.0),
    'all': (1.0, 1.0, 1.0),
}
"""Standard deviations: between seeds, on the images of each seed, and on the images of all seeds of the other name."""


def runs(rng: np.random.Generator, seeds: int, case: tuple[float, float, float]) -> list[NDArray[np.float64]]:
    """Values of two names that do not differ: by seed, of all images and of each resample, which repeats the errors on images."""
    between, own, shared = case
    found = []
    for scale in (0.0, shared):
        whole = rng.normal(0, between, (seeds, 1)) + rng.normal(0, own, (seeds, 1)) + rng.normal(0, scale)
        errors = rng.normal(0, own, (seeds, RESAMPLES)) + rng.normal(0, scale, RESAMPLES)
        found.append(np.concatenate([whole, whole + errors], axis=1))
    return found


def hierarchical(rng: np.random.Generator, control: NDArray[np.float64], other: NDArray[np.float64]) -> list[float]:
    """The 2.5th and 97.5th percentile of differences between means of redrawn seeds."""
    means = [
        np.take_along_axis(values[:, 1:], rng.integers(len(values), size=values[:, 1:].shape), axis=0).mean(axis=0)
        for values in (control, other)
    ]
    return np.quantile(means[1] - means[0], [0.025, 0.975]).tolist()


def coverage(comparisons: int, seeds: int, case: tuple[float, float, float]) -> tuple[float, float]:
    """The shares of our intervals, and of the hierarchical ones, that contain zero."""
    rng, hits = np.random.default_rng(0), []
    for _ in range(comparisons):
        control, other = runs(rng, seeds, case)
        ours = paired_interval(control, other)
        low, high = hierarchical(rng, control, other)
        hits.append((ours.low <= 0 <= ours.high, low <= 0 <= high))
    ours_hit, hierarchical_hit = np.mean(hits, axis=0).tolist()
    return ours_hit, hierarchical_hit


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--comparisons', type=int, default=3000)
    options = parser.parse_args(argv)
    print('| seeds of each name | errors | our intervals | hierarchical bootstrap |\n| --- | --- | --- | --- |')
    for seeds in (2, 3, 5):
        for name, case in CASES.items():
            shares = [f'{100 * share:.1f} %' for share in coverage(options.comparisons, seeds, case)]
            print(f'| {seeds} | {name} | {" | ".join(shares)} |', flush=True)


if __name__ == '__main__':
    main()
