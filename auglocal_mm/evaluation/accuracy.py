"""Top-k accuracy."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from auglocal_mm.errors import InputError
from auglocal_mm.registry import METRICS


@METRICS.register_module()
class Accuracy(BaseMetric):
    """Percentage of images whose label is among the k classes with the highest scores.

    Args:
        topk: The values of k; each gives a metric ``accuracy/top<k>``.
        kwargs: As in :class:`mmengine.evaluator.BaseMetric`.

    Raises:
        InputError: ``topk`` is empty or has a value below 1.
    """

    default_prefix = 'accuracy'

    def __init__(self, topk: Sequence[int] = (1, 5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not topk or min(topk) < 1:
            raise InputError(
                f'Accuracy got topk={tuple(topk)}, expected integers of at least 1; set for example topk=(1, 5)'
            )
        self.topk = tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Records for each image which of its highest-scoring classes is the correct one.

        Args:
            data_batch: Not used.
            data_samples: Each with ``pred_scores``, a tensor of shape (num_classes,), and ``gt_label``, an int.

        Raises:
            InputError: A k exceeds the number of classes, or scores are not finite.
        """
        scores = torch.stack([sample['pred_scores'] for sample in data_samples])
        if not scores.isfinite().all():
            raise InputError(
                f'the model gives an image the score {float(scores[~scores.isfinite()][0])}: its training diverged; use an '
                'earlier checkpoint, or train with a lower learning rate'
            )
        highest, num_classes = max(self.topk), scores.shape[1]
        if highest > num_classes:
            possible = tuple(k for k in self.topk if k <= num_classes) or (1,)
            raise InputError(
                f'Accuracy is to give top-{highest}, but the model has {num_classes} classes; '
                f'set topk={possible} in the evaluator'
            )
        labels = torch.tensor([int(sample['gt_label']) for sample in data_samples], device=scores.device)
        self.results.extend((scores.topk(highest).indices == labels[:, None]).tolist())

    def compute_metrics(self, results: list[list[bool]]) -> dict[str, float]:
        """Averages over all images.

        Args:
            results: For each image ``max(topk)`` booleans, at most one of them true.

        Returns:
            ``top<k>`` in percent for each k.
        """
        hits = torch.tensor(results)
        return {f'top{k}': 100 * hits[:, :k].any(dim=1).double().mean().item() for k in self.topk}
