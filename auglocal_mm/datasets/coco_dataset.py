"""COCO's images and objects."""

from collections import Counter
from typing import Any

from mmdet.datasets import CocoDataset as MMDetCocoDataset

from auglocal_mm.datasets.coco_annotations import CocoAnnotations, warn_once
from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(MMDetCocoDataset):
    """MMDetection's ``CocoDataset`` of annotations that mean what they say; labels are in the order of the classes.

    Attributes:
        notes: How many annotations were repaired or left out, by a description of what was done.

    Raises:
        InputError: No folder of images is named; or the annotations are refused, or have no box or no image to train on.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """The images and their instances."""
        if 'img' not in self.data_prefix:
            raise InputError(
                "data_prefix of the data set has no img, the folder of the images; add dict(img='train2017/')"
            )
        self.COCOAPI = self._read
        images = super().load_data_list()
        if not images or not (self.test_mode or any(image['instances'] for image in images)):
            raise InputError(
                f'{self.ann_file} has {len(images)} images and no box that can be trained on; give another annotation file'
            )
        return images

    def filter_data(self) -> list[dict[str, Any]]:
        """The images that are trained on, or evaluated."""
        kept = super().filter_data()
        if not kept:
            raise InputError(
                f'no image of {self.ann_file} passes filter_cfg={self.filter_cfg}; give another annotation file or filter'
            )
        smallest = 0 if self.test_mode else (self.filter_cfg or {}).get('min_size', 0)
        small = sum(min(image['width'], image['height']) < smallest for image in self.data_list)
        if small:
            self.notes[f'images are smaller than min_size={smallest}, and left out of training'] = small
            warn_once(
                f'{self.ann_file}: {small} images are smaller than min_size={smallest}, and left out of training.'
            )
        return kept

    def _read(self, path: str) -> CocoAnnotations:
        with_masks = any(getattr(each, 'with_mask', False) for each in self.pipeline.transforms)
        annotations = CocoAnnotations(path, with_masks)
        self.notes: Counter[str] = annotations.notes
        return annotations
