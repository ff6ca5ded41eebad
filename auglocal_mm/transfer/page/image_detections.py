"""Which objects a detector finds in each image, and where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches import AREAS, Matches

IOU = 0.5
"""Overlap with an object from which a detection is right."""


@dataclass(frozen=True)
class Detections:
    """The detections of a detector with the highest scores, as many as there are objects in all images.

    A score that is the same for all detectors would not do: what 0.3 means differs between them, and a detector that was
    trained for a short time may have no such detection.

    Attributes:
        num_images: Number of images, I.
        least_score: Detections with a lower score are left out.
        images: (N,), index of the image.
        categories: (N,), names.
        scores: (N,).
        boxes: (N, 4), left, top, width and height in pixels.
        right: (N,), whether an object of the category is found, each at most once.
        wrong: (N,), whether none is. Neither right nor wrong are detections in crowds.
    """

    num_images: int
    least_score: float
    images: NDArray[np.int64]
    categories: NDArray[np.str_]
    scores: NDArray[np.float64]
    boxes: NDArray[np.float32]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]

    @classmethod
    def of(cls, matches: Matches) -> 'Detections':
        """The detections in matches with boxes.

        Raises:
            InputError: They were not evaluated at ``IOU``.
        """
        assert matches.boxes is not None
        thresholds = np.flatnonzero(np.isclose(matches.iou_thresholds, IOU))
        if not len(thresholds):
            raise InputError(f'detections were evaluated at IoU {matches.iou_thresholds}, expected {IOU} among them')
        shape = matches.counts.shape
        categories, images = (np.repeat(each, matches.counts.ravel()) for each in map(np.ravel, np.indices(shape)))
        matched, ignored = (each[0, thresholds[0]] for each in (matches.matched, matches.ignored))
        least_score = _least_score(matches)
        kept = matches.scores >= least_score
        return cls(
            num_images=shape[1],
            least_score=least_score,
            images=images[kept],
            categories=matches.category_names[categories[kept]],
            scores=matches.scores[kept],
            boxes=matches.boxes[kept],
            right=(matched & ~ignored)[kept],
            wrong=(~matched & ~ignored)[kept],
        )

    @property
    def found(self) -> NDArray[np.int64]:
        """(I,), number of objects found in each image."""
        return np.bincount(self.images[self.right], minlength=self.num_images)

    @property
    def mistakes(self) -> NDArray[np.int64]:
        """(I,), number of wrong detections in each image."""
        return np.bincount(self.images[self.wrong], minlength=self.num_images)


def _least_score(matches: Matches) -> float:
    """The score that as many detections reach as there are objects."""
    num_objects = int(matches.positives[:, AREAS.index('all')].sum())
    descending = np.sort(matches.scores)[::-1]
    return float(descending[:num_objects].min(initial=np.inf))


def differ_most(detectors: Sequence[Detections], objects: NDArray[np.int32], number: int) -> list[int]:
    """The indices of the images in which the shares of the objects that are found differ most, most first.

    Among equals, it is those with more objects. Images in which no two detectors differ are left out.

    Args:
        detectors: Two or more.
        objects: (I,), number of objects in each image.
        number: Of images, at most.
    """
    shares = np.ptp([each.found for each in detectors], axis=0) / np.maximum(objects, 1)
    order = np.lexsort((-objects, -shares))
    return [index for index in order[:number].tolist() if shares[index]]


def random_images(num_images: int, number: int, seed: int) -> list[int]:
    """The indices of images drawn at random, all of them if there are fewer, in ascending order."""
    drawn = np.random.default_rng(seed).choice(num_images, min(number, num_images), replace=False)
    return sorted(drawn.tolist())
