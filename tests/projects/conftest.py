"""A study of two runs that take seconds."""

from pathlib import Path

import pytest
from tests_support import write


@pytest.fixture
def tiny_study(tiny_config, tmp_path):
    for name, method in (('a', 'bp'), ('b', 'auglocal')):
        write(tiny_config(method, **{'train_cfg.max_epochs': 1, 'param_scheduler.T_max': 1}), tmp_path / f'{name}.py')
    path = tmp_path / 'tiny.py'
    paths = {name: str(tmp_path / f'{name}.py') for name in 'ab'}
    path.write_text(
        "title = 'Tiny'\n"
        "options = {'val_dataloader.dataset': dict(_delete_=True, type='ImageFolder', split='val',"
        f" data_root={str(tmp_path / 'images')!r}, transforms=[dict(type='Resize', size=32)])}}\n"
        f"runs = [dict(row='r', column='BP', config={paths['a']!r}, paper={{'accuracy/top1': 12.34}}),\n"
        f"        dict(row='r', column='d=3', config={paths['b']!r})]\n"
    )
    return path


@pytest.fixture
def long_study(tiny_study) -> Path:
    """Its runs take long enough to be stopped."""
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("options = {'val", "options = {'train_cfg.max_epochs': 12, 'val"))
    return tiny_study
