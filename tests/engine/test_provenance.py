import subprocess
from pathlib import Path
from types import SimpleNamespace

from mmengine.config import Config
from torch.utils.data import ConcatDataset

from auglocal_mm.engine.provenance import checkout, provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ('-c', 'user.name=a', '-c', 'user.email=a@b.c')
    command = ['git', '-C', str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_checkout_and_whether_it_was_changed(tmp_path):
    package = tmp_path / 'site-packages'
    package.mkdir()
    assert checkout(tmp_path) is None
    git(tmp_path, 'init')
    assert checkout(tmp_path) is None  # without a commit
    (tmp_path / 'a.py').write_text('a = 1')
    git(tmp_path, 'add', 'a.py')
    git(tmp_path, 'commit', '--message', 'a')
    commit = git(tmp_path, 'rev-parse', 'HEAD')
    (tmp_path / 'untracked.py').touch()
    assert checkout(tmp_path) == {'commit': commit, 'changed': False}
    (tmp_path / 'a.py').write_text('a = 2')
    assert checkout(tmp_path) == {'commit': commit, 'changed': True}
    assert checkout(package) is None  # an installed package in somebody's repository


def test_images_are_counted_without_repetitions():
    class Numbers(list):
        pass

    joined = ConcatDataset([Numbers(range(3)), Numbers(range(4))])
    dataset = SimpleNamespace(dataset=joined)  # as RepeatDataset
    parts = [dict(type='Numbers', name='EVEN', data_root='/data/even/'), dict(type='Numbers')]
    config = Config(dict(train_dataloader=dict(dataset=dict(dataset=dict(datasets=parts)))))
    model = SimpleNamespace(backbone=None)
    loader = SimpleNamespace(dataset=dataset)
    found = provenance(SimpleNamespace(model=model, cfg=config, train_dataloader=loader, seed=3))
    assert found['datasets'] == [
        {'type': 'Numbers', 'name': 'EVEN', 'folder': 'even', 'num_images': 3},
        {'type': 'Numbers', 'num_images': 4},
    ]
    assert found['seed'] == 3
    assert not {'partition', 'auxiliary_heads'} & found.keys()
