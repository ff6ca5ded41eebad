"""Matches of simulated detectors on simulated images, without boxes: objects of three sizes, some harder than others."""

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.evaluation.matches import AREAS, Matches
from auglocal_mm.evaluation.weighted_statistics import weighted_statistics

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
OBJECTS = 7.3
"""Objects per image, as in COCO's validation set."""
COMMON = 0.3
"""Share of the objects that are of the most frequent category, about as in COCO; the others get ever fewer."""


class Images:
    """Simulated images.

    Args:
        num_images: Number of images.
        num_categories: Number of categories.
        seed: Of the random numbers.
    """

    def __init__(self, num_images: int, num_categories: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        shares = (1 - COMMON) ** np.minimum(np.arange(num_categories), 5) / (1 + np.arange(num_categories))
        self.rates = OBJECTS * shares / shares.sum()
        crowded = rng.gamma(2, 0.5, num_images)
        self.counts = rng.poisson(self.rates[:, None] * crowded)  # objects by category and image
        self.cells = np.repeat(np.arange(self.counts.size), self.counts.ravel())
        difficulty = rng.normal(0, 0.5, num_images)[self.cells % num_images]
        self.difficulty = difficulty + rng.normal(0, 0.7, len(self.cells))
        self.sizes = rng.integers(1, len(AREAS), len(self.cells))

    def detect(self, ability: float, false_alarms: int, seed: int) -> Matches:
        """What a detector finds: each object once, more or less well, and false alarms with mostly lower scores.

        Args:
            ability: How well it finds objects.
            false_alarms: Number of false alarms.
            seed: Of the detector.
        """
        rng = np.random.default_rng(seed)
        quality = ability - self.difficulty + rng.normal(0, 0.5, len(self.cells))
        iou = np.concatenate([1 / (1 + np.exp(-1 - quality)), np.zeros(false_alarms)])
        score = np.concatenate([quality + rng.normal(0, 0.7, len(self.cells)), rng.normal(-1.5, 1, false_alarms)])
        chances = (self.counts + 0.5 * self.rates[:, None]).ravel()
        alarms = rng.choice(self.counts.size, false_alarms, p=chances / chances.sum())
        cells = np.concatenate([self.cells, alarms])
        sizes = np.concatenate([self.sizes, rng.integers(1, len(AREAS), false_alarms)])
        order = np.lexsort((-score, cells))
        return self._matches(cells[order], score[order], iou[order], sizes[order])

    def _matches(
        self, cells: NDArray[np.int64], score: NDArray[np.float64], iou: NDArray[np.float64], sizes: NDArray[np.int64]
    ) -> Matches:
        num_categories, num_images = self.counts.shape
        outside = np.array([np.zeros(len(sizes), bool), *(sizes != area for area in range(1, len(AREAS)))])
        matched = iou >= IOU_THRESHOLDS[:, None]
        objects = self.cells + self.counts.size * self.sizes
        by_size = np.bincount(objects, minlength=4 * self.counts.size).reshape(4, num_categories, num_images)
        by_size[0] = self.counts
        return Matches(
            annotations='simulated',
            image_ids=np.arange(num_images),
            category_ids=np.arange(num_categories),
            category_names=np.array([f'category {each}' for each in range(num_categories)]),
            iou_thresholds=IOU_THRESHOLDS,
            max_detections=np.array([1, 10, 100]),
            counts=np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape).astype(np.int32),
            scores=score,
            matched=np.repeat(matched[None], len(AREAS), axis=0),
            ignored=np.repeat(outside[:, None], len(IOU_THRESHOLDS), axis=1),
            positives=by_size.swapaxes(0, 1).astype(np.int32),
        )


def statistics(matches: Matches) -> NDArray[np.float64]:
    """The statistics of all images, in points."""
    return 100 * weighted_statistics(matches, np.ones((1, len(matches.image_ids)), np.int32))[0]
