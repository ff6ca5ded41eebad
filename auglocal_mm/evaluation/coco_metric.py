"""COCO's average precision."""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.fileio import get_local_path

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.errors import InputError
from auglocal_mm.registry import METRICS

with warnings.catch_warnings():
    warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')  # another metric's
    from mmdet.evaluation import CocoMetric as MMDetCocoMetric


@METRICS.register_module()
class CocoMetric(MMDetCocoMetric):
    """MMDetection's ``CocoMetric``, which reads the annotations as :class:`CocoDataset` does.

    Args:
        ann_file: The annotation file; without one, the objects of the data set are taken.
        kwargs: As MMDetection's.

    Attributes:
        annotations: What is in ``ann_file``.

    Raises:
        InputError: The annotations are refused.
    """

    def __init__(self, ann_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.annotations: CocoAnnotations | None = None
        if ann_file is not None:
            with get_local_path(ann_file, backend_args=self.backend_args) as path:
                self.annotations = CocoAnnotations(path, with_masks='segm' in self.metrics)
            self._coco_api = self.annotations

    def check_dataset(self, dataset: Any) -> None:
        """Makes sure that the file is about the images and classes of ``dataset``, before it is judged by it.

        Raises:
            InputError: A class or an image is missing, an image is there twice or another one, or there is no object.
        """
        if self.annotations is None:
            return
        expected = {number: _describe(image['file_name'], image) for number, image in self.annotations.imgs.items()}
        for index in range(len(dataset)):
            image = dataset.get_data_info(index)
            found = _describe(image['img_path'], image)
            if expected.pop(image['img_id'], None) != found:
                raise InputError(
                    f'{self.annotations.path}, by which the evaluator judges, has no image {image["img_id"]} that is '
                    f'{found}, or the data set has it twice; set ann_file of the evaluator and the data set to one file'
                )
        if expected:
            raise InputError(
                f'{self.annotations.path}, by which the evaluator judges, has {len(expected)} images that are not in the data '
                f'set, such as {next(iter(expected.values()))}, and all their objects would count as missed; '
                'set ann_file of the evaluator and the data set to one file'
            )
        ids = self.annotations.get_cat_ids(dataset.metainfo['classes'])
        if not self.format_only and not any(self.annotations.cat_img_map[each] for each in ids):
            raise InputError(
                f'{self.annotations.path} has no object of the classes to measure by; give the evaluator annotations'
            )

    def results2json(self, results: Sequence[dict[str, Any]], outfile_prefix: str) -> dict[str, str]:
        """Writes the detections under the ids of their categories.

        pycocotools sorts these ids, and MMDetection takes its tables of categories to be in the order of ``cat_ids``.
        """
        if self.annotations is not None:
            ids = self.annotations.get_cat_ids(self.dataset_meta['classes'])
            self.cat_ids = sorted(ids)
            ranks = np.searchsorted(self.cat_ids, ids)
            results = [{**result, 'labels': ranks[result['labels']]} for result in results]
        return super().results2json(results, outfile_prefix)


def check_order(metric: MMDetCocoMetric, classes: Sequence[str]) -> None:
    """Makes sure that MMDetection's own metric, which numbers labels in the order of its file, means the same by them.

    Raises:
        InputError: It does not.
    """
    given = metric._coco_api
    names = list(classes) if given is None else [given.cats[each]['name'] for each in given.get_cat_ids(list(classes))]
    if names != list(classes):
        raise InputError(
            f"MMDetection's {type(metric).__name__} takes labels for {names}, the order of its file, but the classes are "
            f"{list(classes)}; set type='auglocal_mm.CocoMetric' in the evaluator"
        )


def _describe(path: str, image: dict[str, Any]) -> str:
    return f'{os.path.basename(path)} of {image["width"]} x {image["height"]}'
