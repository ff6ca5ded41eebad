import re
from pathlib import Path

import pytest
import torch
from mmengine.registry import METRICS
from torch import distributed

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation import Accuracy

# The label's class comes first, second, third and fifth.
SCORES = torch.tensor([[5, 4, 3, 2, 1], [5, 4, 3, 2, 1], [5, 4, 3, 2, 1], [5, 4, 3, 2, 1]], dtype=torch.float32)
LABELS = [0, 1, 2, 4]


def samples(indices: list[int]) -> list[dict]:
    return [{'pred_scores': SCORES[index], 'gt_label': LABELS[index]} for index in indices]


def test_counts_over_batches_in_percent() -> None:
    metric = METRICS.build({'type': 'auglocal_mm.Accuracy', 'topk': (1, 3, 5)})
    metric.process(None, samples([0, 1, 2]))
    metric.process(None, samples([3]))
    assert metric.evaluate(4) == {'accuracy/top1': 25.0, 'accuracy/top3': 75.0, 'accuracy/top5': 100.0}
    metric.process(None, samples([0]))
    assert metric.evaluate(1)['accuracy/top1'] == 100.0


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match=r'\bnan\b'):
        Accuracy(topk=(1,)).process(None, [{'pred_scores': torch.tensor([0.5, float('nan')]), 'gt_label': 1}])


def test_default_is_top1_and_top5() -> None:
    metric = Accuracy()
    metric.process(None, samples([3]))
    assert metric.evaluate(1) == {'accuracy/top1': 0.0, 'accuracy/top5': 100.0}


def test_more_than_there_are_classes_is_refused() -> None:
    metric = Accuracy(topk=(1, 6))
    with pytest.raises(InputError, match=r'\b6\b.*\b5\b.*topk=\(1,\)'):
        metric.process(None, samples([0]))


@pytest.mark.parametrize('topk', [(), (0, 1)])
def test_bad_topk_is_refused(topk: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=re.escape(f'topk={topk}')):
        Accuracy(topk=topk)


def evaluate_half(rank: int, folder: Path) -> None:
    # Five images make three for each process: the second one's last is padding, a right answer that must not count.
    distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    metric = Accuracy(topk=(1, 2), collect_dir=str(folder / 'collect'))
    metric.process(None, samples([0, 2, 2] if rank == 0 else [1, 3, 0]))
    torch.save(metric.evaluate(5), folder / f'{rank}.pt')
    distributed.destroy_process_group()


def test_two_processes_give_one_result(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(evaluate_half, (tmp_path,), nprocs=2)
    for rank in range(2):
        assert torch.load(tmp_path / f'{rank}.pt') == {'accuracy/top1': 20.0, 'accuracy/top2': 40.0}
