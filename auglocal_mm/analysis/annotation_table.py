"""Counts the images and objects in the data sets of a detector and in its evaluator."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.datasets.wrappers import inner_datasets


@dataclass
class Reading:
    """The counts for one purpose.

    Attributes:
        name: The purpose.
        images: Number of images.
        empty: Number of images without objects.
        objects: Number of single objects of each class.
        crowds: Number of groups, which are neither learned nor counted as missed.
        notes: Number of annotations that were repaired or left out, by a description of the repair.
    """

    name: str
    images: int = 0
    empty: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    crowds: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, objects: Iterable[tuple[str, bool]]) -> None:
        """Counts an image, given the class of each object and whether it is a crowd."""
        given = [*objects]
        self.images += 1
        self.empty += not given
        self.crowds += sum(crowd for _, crowd in given)
        self.objects.update(name for name, crowd in given if not crowd)


def read_dataset(name: str, dataset: Any) -> Reading:
    """Counts the images and objects of ``dataset``; an image that a wrapper repeats counts each time."""
    reading = Reading(name)
    for each in inner_datasets(dataset):
        reading.notes.update(getattr(each, 'notes', {}))
    classes = next(inner_datasets(dataset)).metainfo['classes']
    for index in range(len(dataset)):
        instances = dataset.get_data_info(index)['instances']
        reading.add((classes[each['bbox_label']], bool(each['ignore_flag'])) for each in instances)
    return reading


def read_annotations(name: str, given: CocoAnnotations, classes: Sequence[str]) -> Reading:
    """Counts the objects of ``classes`` in the annotation file of an evaluator."""
    reading = Reading(name, notes=given.notes)
    names = dict(zip(given.get_cat_ids(classes), classes, strict=True))
    for image_id in given.imgs:
        objects = given.img_ann_map[image_id]
        reading.add(
            (names[each['category_id']], bool(each['iscrowd'])) for each in objects if each['category_id'] in names
        )
    return reading


def to_table(readings: list[Reading], classes: Iterable[str]) -> Table:
    """One column for each reading; the classes in the order of their labels."""
    table = Table('', *(each.name for each in readings), title='Annotations as read')
    for title, key in (('images', 'images'), ('without objects', 'empty'), ('crowds', 'crowds')):
        table.add_row(title, *(f'{getattr(each, key):,}' for each in readings))
    table.add_row('objects', *(f'{each.objects.total():,}' for each in readings), end_section=True)
    for name in classes:
        table.add_row(name, *(f'{each.objects[name]:,}' for each in readings))
    return table
