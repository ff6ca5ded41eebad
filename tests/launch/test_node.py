import os
from pathlib import Path

import pytest
import torch
from torch import distributed

from auglocal_mm.errors import InputError
from auglocal_mm.launch.node import is_first_of_node, once_per_node


def work_in(rank: int, folder: Path, bad: set[int], per_node: int) -> None:
    os.environ['LOCAL_RANK'] = str(rank % per_node)
    distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=4)

    def work() -> None:
        (folder / f'{rank} worked').touch()
        if rank in bad:
            raise InputError(f'{rank} is bad')

    try:
        once_per_node(work)
        (folder / f'{rank} passed').touch()
    except InputError as error:
        (folder / f'{rank} raised').write_text(str(error))
    except SystemExit as end:
        (folder / f'{rank} ended').write_text(str(end))
    distributed.destroy_process_group()


def run(folder: Path, bad: set[int]) -> list[str]:
    """What four processes on two nodes did."""
    torch.multiprocessing.spawn(work_in, (folder, bad, 2), nprocs=4)
    return sorted(f'{path.name} {path.read_text()}'.strip() for path in folder.glob('* *'))


def test_one_process_of_each_node_works_and_the_others_wait_for_it(tmp_path):
    assert run(tmp_path, set()) == ['0 passed', '0 worked', '1 passed', '2 passed', '2 worked', '3 passed']


@pytest.mark.parametrize(('bad', 'first'), [({0, 2}, 0), ({2}, 2)])
def test_an_error_is_told_once_and_ends_all(tmp_path, bad, first):
    ended = [f'{rank} ended 1' for rank in range(4) if rank != first]
    assert run(tmp_path, bad) == sorted(['0 worked', '2 worked', f'{first} raised {first} is bad', *ended])


def test_a_single_process_works_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '3')
    assert is_first_of_node()
    with pytest.raises(InputError):
        once_per_node(lambda: (_ for _ in ()).throw(InputError('bad')))
