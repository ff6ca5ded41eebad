"""COCO's average precision."""

import logging
import os
import warnings
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval, COCOevalMP
from mmengine.fileio import get_local_path, load
from mmengine.logging import print_log

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.average_precision import ITEMS, class_ap, summarized
from auglocal_mm.evaluation.matches import Matches, collect_matches
from auglocal_mm.private import metric_annotations
from auglocal_mm.registry import METRICS

with warnings.catch_warnings():
    warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')  # another metric's
    from mmdet.evaluation import CocoMetric as MMDetCocoMetric


@METRICS.register_module()
class CocoMetric(MMDetCocoMetric):
    """MMDetection's ``CocoMetric``, which reads the annotations as :class:`CocoDataset` does and rounds nothing.

    Args:
        ann_file: The annotation file; without one, the annotations of the data set are used.
        kwargs: As MMDetection's.

    Attributes:
        annotations: The contents of ``ann_file``.
        class_ap: AP of the last evaluation, from 0 to 1, by ``'bbox'`` or ``'segm'`` and the name of the class; NaN where a
            class has no instances. Of several processes, the first has it.
        matches: What the last AP was computed from, by ``'bbox'`` or ``'segm'``.

    Raises:
        InputError: The annotations are invalid.
    """

    def __init__(self, ann_file: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.annotations: CocoAnnotations | None = None
        self.class_ap: dict[str, dict[str, float]] = {}
        self.matches: dict[str, Matches] = {}
        if ann_file is not None:
            with get_local_path(ann_file, backend_args=self.backend_args) as path:
                self.annotations = CocoAnnotations(path, with_masks='segm' in self.metrics)
            self._coco_api = self.annotations

    def check_dataset(self, dataset: Any) -> None:
        """Checks that the annotation file describes exactly the images of ``dataset``, and its classes.

        Raises:
            InputError: A class or an image is missing, an image differs or appears twice, or there are no objects.
        """
        if self.annotations is None:
            return
        expected = {key: _describe(image['file_name'], image) for key, image in self.annotations.imgs.items()}
        for index in range(len(dataset)):
            image = dataset.get_data_info(index)
            found = _describe(image['img_path'], image)
            if expected.pop(image['img_id'], None) != found:
                raise InputError(
                    f'{self.annotations.path} of the evaluator has no image {image["img_id"]} that is {found}, or the data '
                    'set has it twice; set ann_file of the evaluator and of the data set to the same file'
                )
        if expected:
            raise InputError(
                f'{self.annotations.path} of the evaluator has {len(expected)} images that are not in the data set, such as '
                f'{next(iter(expected.values()))}: all their objects would count as missed; set ann_file of the evaluator '
                'and of the data set to the same file'
            )
        ids = self.annotations.get_cat_ids(dataset.metainfo['classes'])
        if not self.format_only and not any(self.annotations.cat_img_map[each] for each in ids):
            raise InputError(
                f'{self.annotations.path} has 0 objects of the {len(ids)} classes to evaluate; set ann_file of the evaluator '
                'to a file with annotations'
            )

    def compute_metrics(self, results: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, float]:
        """Statistics by MMDetection's names, which rounds them to three digits, and sets ``class_ap`` and ``matches``.

        Proposals, and detections that are only written, are left to MMDetection.

        Args:
            results: Annotations and detections of each image.

        Raises:
            InputError: Masks are to be evaluated, but the detector predicts none.
        """
        self.class_ap, self.matches = {}, {}
        if self.format_only or not {'bbox', 'segm'}.issuperset(self.metrics):
            return super().compute_metrics(results)
        metrics: dict[str, float] = {}
        for kind, detections in self._detections(results).items():
            if not detections:
                print_log('The detector made no predictions, so there is no AP.', logger='current', level=logging.ERROR)
                return {}
            evaluation = self._evaluated(kind, detections)
            statistics = dict(zip(ITEMS, evaluation.stats.tolist(), strict=True))
            metrics |= {f'{kind}_{item}': statistics[item] for item in self.metric_items or ITEMS[:6]}
            self.class_ap[kind], self.matches[kind] = class_ap(evaluation), collect_matches(evaluation)
            if self.classwise:  # MMDetection's name for it, under which masks replace boxes
                metrics |= {f'{name}_precision': value for name, value in self.class_ap[kind].items()}
            self._log(kind, statistics)
        return metrics

    def _log(self, kind: str, statistics: dict[str, float]) -> None:
        """What MMDetection logs, without its table."""
        if self.classwise:
            classes = ', '.join(f'{name}: {value:.3f}' for name, value in self.class_ap[kind].items())
            print_log(f'{kind} AP by class: {classes}', logger='current')
        values = ' '.join(f'{statistics[item]:.3f}' for item in ITEMS[:6])
        print_log(f'{kind}_mAP_copypaste: {values}', logger='current')

    def _detections(self, results: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        """The detections in COCO's format, by ``'bbox'`` and ``'segm'``."""
        truths, found = zip(*results, strict=True)
        with TemporaryDirectory() as folder:
            prefix = self.outfile_prefix or f'{folder}/results'
            if self._coco_api is None:
                self._coco_api = COCO(self.gt_to_coco_json(truths, prefix))
            self.cat_ids = self._coco_api.get_cat_ids(cat_names=self.dataset_meta['classes'])
            files = self.results2json(found, prefix)
            if not files.keys() >= {*self.metrics}:
                raise InputError(
                    f"the evaluator has metric={self.metrics}, but the detector predicts no masks; set metric='bbox'"
                )
            return {kind: load(files[kind]) for kind in self.metrics}

    def _evaluated(self, kind: str, detections: list[dict[str, Any]]) -> COCOeval:
        if kind == 'segm':  # with a box, pycocotools would use its area for that of the mask
            detections = [{key: value for key, value in each.items() if key != 'bbox'} for each in detections]
        coco_eval = COCOevalMP if self.use_mp_eval else COCOeval
        return summarized(
            coco_eval(self._coco_api, self._coco_api.loadRes(detections), kind),
            catIds=self.cat_ids,
            imgIds=self._coco_api.get_img_ids(),
            maxDets=list(self.proposal_nums),
            iouThrs=np.array(self.iou_thrs),  # pycocotools finds no threshold in a list
        )

    def results2json(self, results: Sequence[dict[str, Any]], outfile_prefix: str) -> dict[str, str]:
        """Writes the detections under the ids of their categories.

        pycocotools sorts these ids, while MMDetection assumes the order of ``cat_ids``.
        """
        if self.annotations is not None:
            ids = self.annotations.get_cat_ids(self.dataset_meta['classes'])
            self.cat_ids = sorted(ids)
            ranks = np.searchsorted(self.cat_ids, ids)
            results = [{**result, 'labels': ranks[result['labels']]} for result in results]
        return super().results2json(results, outfile_prefix)


def check_order(metric: MMDetCocoMetric, classes: Sequence[str]) -> None:
    """Checks that MMDetection's own metric, which orders the classes as its file does, agrees with ``classes``.

    Raises:
        InputError: The orders differ.
    """
    given = metric_annotations(metric)
    names = list(classes) if given is None else [given.cats[each]['name'] for each in given.get_cat_ids(list(classes))]
    if names != list(classes):
        raise InputError(
            f"MMDetection's {type(metric).__name__} orders the classes as its file does, {names}, but the labels are those "
            f"of {list(classes)}; set type='auglocal_mm.CocoMetric' in the evaluator"
        )


def _describe(path: str, image: dict[str, Any]) -> str:
    return f'{os.path.basename(path)} of {image["width"]} x {image["height"]}'
