from torch.utils.data import DataLoader

from auglocal_mm.datasets.in_process import in_process


def test_what_only_workers_need_is_left_out():
    given = dict(batch_size=3, num_workers=2, persistent_workers=True, timeout=9, prefetch_factor=4)
    config = in_process({**given, 'multiprocessing_context': 'spawn'})
    assert config == {'batch_size': 3, 'num_workers': 0}
    assert list(DataLoader(range(5), **config))[1].tolist() == [3, 4]
    assert given['num_workers'] == 2
