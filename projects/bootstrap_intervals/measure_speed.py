"""Measures the time and memory of the intervals of two simulated detectors: twelve statistics of COCO and each category's AP."""

import argparse
import resource
import time
from collections.abc import Sequence

from rich.progress import Progress
from simulated_detectors import Images

from auglocal_mm.evaluation.weighted_statistics import weighted_statistics
from auglocal_mm.transfer.bootstrap import image_weights
from auglocal_mm.transfer.paired_interval import paired_interval


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the seconds and the peak of the resident memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--categories', type=int, default=80)
    parser.add_argument('--detections', type=int, default=150_000, help='of each detector')
    parser.add_argument('--bootstrap', type=int, default=1000)
    options = parser.parse_args(argv)
    images = Images(options.images, options.categories, seed=0)
    false_alarms = options.detections - len(images.cells)
    detectors = [images.detect(ability, false_alarms, seed) for seed, ability in enumerate((0.0, 0.05), 1)]
    start = time.perf_counter()
    weights = image_weights(options.images, options.bootstrap, 0)
    with Progress(transient=True) as progress:
        task = progress.add_task('resampling', total=len(detectors) * len(weights))
        control, other = (
            100 * weighted_statistics(each, weights, lambda done: progress.advance(task, done)) for each in detectors
        )
    intervals = [paired_interval(control[None, :, each], other[None, :, each]) for each in range(control.shape[1])]
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f'{len(intervals)} intervals from {options.bootstrap} resamples in {seconds:.1f} s, {memory:.2f} GiB at most')
    print(f'AP {control[0, 0]:.1f} and {other[0, 0]:.1f}, interval {intervals[0].low:+.2f} to {intervals[0].high:+.2f}')


if __name__ == '__main__':
    main()
