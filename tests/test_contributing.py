"""What CONTRIBUTING.md shows works as it stands there."""

import re
from pathlib import Path

import torch
from tests_support import REPOSITORY, tool, write

CONFIG, *FILES = re.findall(r'```python\n(.*?)```', (REPOSITORY / 'CONTRIBUTING.md').read_text(), re.DOTALL)
NAMES = re.findall(r"'(\w+)'", CONFIG.splitlines()[0])


def run(tmp_path: Path, name: str, config: str, *options: str) -> str:
    (tmp_path / f'{name}.py').write_text(f"_base_ = './base.py'\n{config}")
    work_dir = ('--work-dir', str(tmp_path / name))
    done = tool('tools/train.py', str(tmp_path / f'{name}.py'), *work_dir, *options, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_head_a_backbone_an_executor_and_a_data_set(tiny_config, tmp_path):
    """The executor of the example gives the sequential one's weights."""
    assert len(NAMES) == len(FILES) == 4
    for name, text in zip(NAMES, FILES, strict=True):
        (tmp_path / f'{name}.py').write_text(text)
    write(tiny_config('bp', **{'train_cfg.max_epochs': 1}), tmp_path / 'base.py')
    assert 'Isolation holds' in run(tmp_path, 'all_four', CONFIG, '--check')
    run(tmp_path, 'all_four', CONFIG)
    run(tmp_path, 'sequential', CONFIG.replace("executor=dict(type='DeferredExecutor')", ''))
    assert '"method": "NarrowHead"' in (tmp_path / 'all_four' / 'backbone.json').read_text()
    first, second = (torch.load(tmp_path / name / 'backbone.pth') for name in ('all_four', 'sequential'))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
