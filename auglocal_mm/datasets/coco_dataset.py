"""COCO's images and objects."""

from collections import Counter
from typing import Any

from mmdet.datasets import CocoDataset as MMDetCocoDataset

from auglocal_mm.datasets.coco_annotations import CocoAnnotations, warn_once
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(MMDetCocoDataset):
    """MMDetection's ``CocoDataset`` with checked annotations, and labels in the order of the classes.

    Attributes:
        notes: Number of records that were repaired or excluded, by description.

    Raises:
        InputError: ``data_prefix`` has no ``img``, the annotations are invalid, or no image or box is left to train on.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """The images and their instances."""
        if 'img' not in self.data_prefix:
            raise InputError(
                "data_prefix of the data set has no key img; add the folder of the images, e.g. dict(img='train2017/')"
            )
        self.COCOAPI = self._read
        images = super().load_data_list()
        if not images or not (self.test_mode or any(image['instances'] for image in images)):
            raise InputError(
                f'{self.ann_file} has {len(images)} images and no box to train on; give another annotation file'
            )
        return images

    def filter_data(self) -> list[dict[str, Any]]:
        """The images to train on or to evaluate."""
        kept = super().filter_data()
        if not kept:
            raise InputError(
                f'no image of {self.ann_file} passes filter_cfg={self.filter_cfg}; give another annotation file or filter'
            )
        smallest = 0 if self.test_mode else (self.filter_cfg or {}).get('min_size', 0)
        small = sum(min(image['width'], image['height']) < smallest for image in self.data_list)
        if small:
            note = f'images are smaller than min_size={smallest}, and excluded from training'
            self.notes[note] = small
            warn_once(f'{self.ann_file}: {small} {note}.')
        return kept

    def _read(self, path: str) -> CocoAnnotations:
        with_masks = any(getattr(each, 'with_mask', False) for each in self.pipeline.transforms)
        annotations = CocoAnnotations(path, with_masks)
        self.notes: Counter[str] = annotations.notes
        return annotations
