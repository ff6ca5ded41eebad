"""A metric that keeps what a classifier said of every image: it shows a weight that accuracy does not."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from auglocal_mm.registry import METRICS


@METRICS.register_module()
class Scores(BaseMetric):
    """The scores of every class for every image, as metrics ``scores/<image>-<class>``."""

    default_prefix = 'scores'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keeps the scores."""
        self.results.extend(sample['pred_scores'].tolist() for sample in data_samples)

    def compute_metrics(self, results: list[list[float]]) -> dict[str, float]:
        """All of them."""
        return {f'{i}-{label}': score for i, scores in enumerate(results) for label, score in enumerate(scores)}
