"""Photographs with the objects in them and what each detector finds, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from auglocal_mm.analysis.tables import cell
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.html import from_markdown, inline_photograph, side_by_side
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.intervals import without_matches
from auglocal_mm.transfer.labels import images
from auglocal_mm.transfer.page.drawn_boxes import Box, draw
from auglocal_mm.transfer.page.evaluated_images import EvaluatedImages, find_images
from auglocal_mm.transfer.page.image_detections import IOU, Detections, differ_most, random_images
from auglocal_mm.transfer.recorded_matches import read_matches
from auglocal_mm.transfer.transfer_result import TransferResult

NUMBER = 6
"""Images of each kind."""
OBJECT, RIGHT, WRONG, NEITHER = '#5fd38d', '#6cb8f5', '#ff9b3d', '#c8c8c8'
"""Light colours: black is written on them."""


def photographs(comparison: Comparison, seed: int) -> Markup:
    """The images in which the detectors differ most, and some drawn at random.

    Args:
        comparison: Of runs whose matches, if all have them, are comparable; the first run of each name is shown.
        seed: Of the drawing.

    Raises:
        InputError: Boxes were not recorded, or the images or annotations cannot be read any more.
    """
    for work_dir in without_matches(comparison):
        _refuse_without_boxes(work_dir)
    runs = {name: each[0] for name, each in comparison.groups.items()}
    matches = {name: _with_boxes(run) for name, run in runs.items()}
    control = matches[comparison.control]
    gallery = _Gallery(
        find_images(runs[comparison.control], control),
        control['bbox'],
        {name: Detections.of(each['bbox']) for name, each in matches.items()},
    )
    total = len(control['bbox'].image_ids)
    differing = differ_most([*gallery.detectors.values()], gallery.numbers, NUMBER)
    drawn = random_images(total, NUMBER, seed)
    several = any(len(each) > 1 for each in comparison.groups.values())
    legend = _legend(gallery.detectors, several, with_masks='segm' in control)
    return Markup('').join(
        [
            from_markdown(f'{legend}\n\n### Where they differ most\n\n{_differing(len(differing), total)}'),
            *map(gallery.row, differing),
            from_markdown(f'### At random\n\n{len(drawn)} of the {images(total)}, drawn with seed {seed}.'),
            *map(gallery.row, drawn),
        ]
    )


def _with_boxes(run: TransferResult) -> Mapping[str, Matches]:
    matches = read_matches(run.work_dir, run.matches) if run.matches else {}
    if 'bbox' not in matches or matches['bbox'].boxes is None:
        _refuse_without_boxes(run.work_dir)
    return matches


def _refuse_without_boxes(work_dir: Path) -> NoReturn:
    raise InputError(
        f'{work_dir} has no recorded boxes, as after an evaluation of masks alone, or by an earlier version; test the '
        'checkpoint, also on boxes, with tools/test.py in a new work_dir, and compare that one'
    )


def _legend(detectors: Mapping[str, Detections], several: bool, with_masks: bool) -> str:
    scores = ', '.join(f'{cell(name)} {each.least_score:.2f}' for name, each in detectors.items())
    return (
        f'Each detector{", in the first run of its name," if several else ""} shows as many boxes as there are objects in all '
        f'images, those with the highest scores; the lowest of these scores are {scores}. Blue boxes are right: they overlap an '
        f'object of their category with an IoU of at least {IOU}, and each object counts once. Orange ones, '
        'marked ✗, are wrong. Objects are green. Crowds and what is found in them are grey, and do not count. Narrow boxes have '
        f'no name.{" Masks are not recorded, and not drawn." if with_masks else ""}'
    )


def _differing(number: int, total: int) -> str:
    if not number:
        return f'All find equally many objects in each of the {images(total)}.'
    return (
        f'The {number} of {images(total)} in which the shares of the objects that are found differ most; among equals, those '
        'with more objects.'
    )


@dataclass(frozen=True)
class _Gallery:
    """Rows of photographs, each of one image, by its index among those that were evaluated."""

    source: EvaluatedImages
    evaluated: Matches
    detectors: Mapping[str, Detections]

    @property
    def numbers(self) -> NDArray[np.int32]:
        """(I,), number of objects that are to be detected in each image."""
        return self.evaluated.positives[:, 0].sum(axis=0)

    def row(self, index: int) -> Markup:
        """The objects, and what each detector finds."""
        image_id = self.evaluated.image_ids.item(index)
        image, number = self.source.read(image_id), self.numbers[index]
        panels = {f'Objects in {self.source.name(image_id)}: {number}': self._objects(image_id)}
        for name, each in self.detectors.items():
            caption = f'{name}: {each.found[index]} of {number} found, {each.mistakes[index]} wrong'
            panels[caption] = _detected(each, index)
        return side_by_side(
            inline_photograph(draw(image, boxes), f'{self.source.name(image_id)} with boxes', caption)
            for caption, boxes in panels.items()
        )

    def _objects(self, image_id: int | str) -> list[Box]:
        names = dict(zip(self.evaluated.category_ids.tolist(), self.evaluated.category_names.tolist(), strict=True))
        return [
            Box(each['bbox'], names[each['category_id']], NEITHER if each['iscrowd'] else OBJECT)
            for each in self.source.objects(image_id)
            if each['category_id'] in names
        ]


def _detected(detections: Detections, index: int) -> list[Box]:
    """From the lowest score to the highest."""
    of_image = np.flatnonzero(detections.images == index)
    order = of_image[np.argsort(detections.scores[of_image], kind='stable')]
    return [_box(detections, each) for each in order.tolist()]


def _box(detections: Detections, index: int) -> Box:
    label = f'{detections.categories[index]} {detections.scores[index]:.2f}'
    place = detections.boxes[index].tolist()
    if detections.wrong[index]:
        return Box(place, label, WRONG, mark='✗')
    return Box(place, label, RIGHT if detections.right[index] else NEITHER)
