"""COCO's average precision as pycocotools computes it, over all classes and of each one."""

from typing import Any

from mmdet.datasets.api_wrappers import COCOeval

ITEMS = (
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'),
    *('AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000'),
)
"""MMDetection's names of the statistics that :class:`COCOeval` summarizes, in its order."""
DETECTIONS = 100
"""Number of detections per image that count for mAP, those with the highest scores."""


def summarized(evaluation: COCOeval, **params: Any) -> COCOeval:
    """Runs an evaluation.

    Args:
        evaluation: Of detections against annotations.
        params: Attributes of its ``params`` that differ from COCO's defaults.
    """
    vars(evaluation.params).update(params)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def class_ap(evaluation: COCOeval) -> dict[str, float]:
    """AP of each class by its name, from 0 to 1, whose mean is mAP; NaN where a class has no instances.

    Args:
        evaluation: As :func:`summarized` returns it.
    """
    params = evaluation.params
    counted = [limit == DETECTIONS for limit in params.maxDets]
    # Precision by IoU, recall, class, area and limit of detections; -1 where there are no instances.
    precision = evaluation.eval['precision'][:, :, :, params.areaRngLbl.index('all')][..., counted]
    names = [category['name'] for category in evaluation.cocoGt.loadCats(params.catIds)]
    known = [values[values > -1] for values in precision.transpose(2, 0, 1, 3)]
    return {
        name: float(values.mean()) if values.size else float('nan') for name, values in zip(names, known, strict=True)
    }
