import torch

from auglocal_mm.engine.local_statistics import LocalStatistics


def results(*losses: float) -> list[dict[str, torch.Tensor]]:
    return [{'loss': torch.tensor(loss), 'accuracy': torch.tensor(10 * loss), 'more': torch.ones(3)} for loss in losses]


def test_all_iterations_are_given_once():
    statistics = LocalStatistics()
    assert len(statistics.take()) == 0
    statistics.add(results(1.0, 2.0))
    statistics.add(results(3.0, 4.0))
    assert statistics.take().tolist() == [[[1, 10], [2, 20]], [[3, 30], [4, 40]]]
    assert len(statistics.take()) == 0


def test_nothing_is_read_while_values_come_in():
    """Values without data cannot be read: adding them would fail if anything were."""
    statistics = LocalStatistics()
    for _ in range(3):
        statistics.add([{'loss': torch.empty((), device='meta'), 'accuracy': torch.empty((), device='meta')}])
    assert len(statistics._iterations) == 3
