"""What a detector reads: images, objects and classes of its data sets and of its evaluator."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.datasets.wrappers import inner_datasets


@dataclass
class Reading:
    """What was read for one purpose.

    Attributes:
        name: What for.
        images: How many images.
        empty: How many of them have no object.
        objects: How many single objects of each class.
        crowds: How many groups, which are neither learned nor counted as missed.
        notes: How many annotations were repaired or left out, by a description of what was done.
    """

    name: str
    images: int = 0
    empty: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    crowds: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, objects: Iterable[tuple[str, bool]]) -> None:
        """Counts an image with objects, each a class and whether it is a crowd."""
        given = [*objects]
        self.images += 1
        self.empty += not given
        self.crowds += sum(crowd for _, crowd in given)
        self.objects.update(name for name, crowd in given if not crowd)


def read_dataset(name: str, dataset: Any) -> Reading:
    """Counts what ``dataset`` hands to the detector; an image that a wrapper repeats counts as often."""
    reading = Reading(name)
    for each in inner_datasets(dataset):
        reading.notes.update(getattr(each, 'notes', {}))
    classes = next(inner_datasets(dataset)).metainfo['classes']
    for index in range(len(dataset)):
        instances = dataset.get_data_info(index)['instances']
        reading.add((classes[each['bbox_label']], bool(each['ignore_flag'])) for each in instances)
    return reading


def read_annotations(name: str, given: CocoAnnotations, classes: Sequence[str]) -> Reading:
    """Counts the objects of ``classes`` in an annotation file, as an evaluator judges by them."""
    reading = Reading(name, notes=given.notes)
    names = dict(zip(given.get_cat_ids(classes), classes, strict=True))
    for number in given.imgs:
        objects = given.img_ann_map[number]
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
