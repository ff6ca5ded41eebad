"""COCO's annotations, which must be those of the config's classes."""

from typing import Any

from mmdet.datasets import CocoDataset as MMDetCocoDataset

from auglocal_mm.errors import InputError
from auglocal_mm.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(MMDetCocoDataset):
    """MMDetection's ``CocoDataset``, which refuses annotations that it would train on, or evaluate, wrongly.

    Raises:
        InputError: No folder of images is named; or the file is no annotation file of COCO's, lacks classes of the config or
            masks that the pipeline asks for, or has no box or no image to train on.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        """The images and their instances."""
        if 'img' not in self.data_prefix:
            raise InputError(
                "data_prefix of the data set has no img, the folder of the images; add dict(img='train2017/')"
            )
        try:
            images = super().load_data_list()
        except (AssertionError, KeyError, TypeError) as error:  # what pycocotools and MMDetection stumble over
            raise InputError(
                f'{self.ann_file} is no annotation file of COCO ({type(error).__name__}: {error}); give one with images, '
                'annotations and categories'
            ) from error
        classes = self.metainfo['classes']
        if len(self.cat_ids) != len(classes):
            raise InputError(
                f'{self.ann_file} has {len(self.cat_ids)} of the {len(classes)} classes of the config, so that labels would '
                'mean other things; set metainfo.classes of the data sets and num_classes of the model to what is there'
            )
        instances = [instance for image in images for instance in image['instances']]
        if not images or not (instances or self.test_mode):
            raise InputError(
                f'{self.ann_file} has {len(images)} images and no box that can be trained on; give another annotation file'
            )
        if any(getattr(each, 'with_mask', False) for each in self.pipeline.transforms):
            self._check_masks(instances)
        return images

    def filter_data(self) -> list[dict[str, Any]]:
        """The images that are trained on, or evaluated."""
        kept = super().filter_data()
        if not kept:
            raise InputError(
                f'no image of {self.ann_file} passes filter_cfg={self.filter_cfg}; give another annotation file or filter'
            )
        return kept

    def _check_masks(self, instances: list[dict[str, Any]]) -> None:
        lacking = sum('mask' not in instance for instance in instances)
        if lacking:
            raise InputError(
                f'{lacking} of {len(instances)} instances of {self.ann_file} have no segmentation, which this detector is '
                'trained on; give annotations with masks, or train a detector of boxes'
            )
