"""COCO's annotations, for both training and evaluation."""

import functools
import logging
from collections import Counter
from collections.abc import Sequence

from mmdet.datasets.api_wrappers import COCO
from mmengine.logging import print_log

from auglocal_mm.datasets.coco_file import read_annotations
from auglocal_mm.errors import InputError


class CocoAnnotations(COCO):
    """pycocotools' interface to a checked annotation file, with labels in the order of the classes.

    Args:
        path: The file.
        with_masks: Whether the masks are used.

    Attributes:
        path: The file.
        notes: Number of records that were repaired or excluded, by description. They are also logged.

    Raises:
        InputError: As :func:`read_annotations`.
    """

    def __init__(self, path: str, with_masks: bool = False) -> None:
        super().__init__()
        self.path = path
        self.dataset, self.notes = read_annotations(path, with_masks)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs
        for note, count in self.notes.items():
            warn_once(f'{path}: {count} {note}.')

    def get_cat_ids(
        self, cat_names: Sequence[str] = (), sup_names: Sequence[str] = (), cat_ids: Sequence[int] = ()
    ) -> list[int]:
        """The ids of categories, in the order of ``cat_names``; pycocotools returns them in the order of the file.

        Raises:
            InputError: A name does not belong to exactly one category.
        """
        if not len(cat_names):
            return super().get_cat_ids(cat_names, sup_names, cat_ids)
        if isinstance(cat_names, str):
            raise InputError(f'metainfo.classes is {cat_names!r}, expected a tuple; write ({cat_names!r},)')
        names = Counter(category['name'] for category in self.cats.values())
        wrong = [name for name in cat_names if names[name] != 1] or [n for n, c in Counter(cat_names).items() if c > 1]
        if wrong:
            raise InputError(
                f'{self.path} has {len(set(cat_names) & set(names))} of the {len(cat_names)} classes of the config; '
                f'expected {wrong[0]!r} once in the categories {sorted(names)} and once in metainfo.classes; correct '
                'metainfo.classes, and num_classes of the model'
            )
        ids = {category['name']: category_id for category_id, category in self.cats.items()}
        return [ids[name] for name in cat_names]


@functools.cache
def warn_once(message: str) -> None:
    """Logs a warning once per process: training and evaluation can read the same file."""
    print_log(message, logger='current', level=logging.WARNING)
