"""Wall time and peak memory, over resumes."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.runner import Runner

from auglocal_mm.engine.hooks import TrainingCostHook
from auglocal_mm.errors import InputError


def resume(tiny_config, checkpoint: dict) -> dict:
    """The description of a backbone after one epoch more."""
    config = tiny_config('bp')
    path = f'{config.work_dir}/given.pth'
    torch.save(checkpoint, path)
    Runner.from_cfg(tiny_config('bp', work_dir=config.work_dir, load_from=path, resume=True)).train()
    return json.loads(Path(config.work_dir, 'backbone.json').read_text())


@pytest.fixture
def first_epoch(tiny_config) -> dict:
    config = tiny_config('bp')
    Runner.from_cfg(config).train()
    return torch.load(f'{config.work_dir}/epoch_1.pth', weights_only=False)


def test_a_resumed_training_counts_what_it_was_resumed_from(tiny_config, first_epoch):
    recorded = first_epoch['meta']['auglocal_mm']
    assert 0 < recorded['training_seconds'] < 60
    assert 2**27 < recorded['peak_memory']['resident'] < 2**36
    recorded.update(training_seconds=1000.0, peak_memory={'resident': 2**40, 'allocated': 5})
    after = resume(tiny_config, first_epoch)
    assert 1000 < after['training_seconds'] < 1060
    assert after['peak_memory'] == {'resident': 2**40, 'allocated': 5}
    del recorded['training_seconds'], recorded['peak_memory']  # of an earlier version
    assert not {'training_seconds', 'peak_memory'} & resume(tiny_config, first_epoch).keys()


def test_a_damaged_record_is_refused():
    checkpoint = {'meta': {'auglocal_mm': {'training_seconds': 'long'}}}
    with pytest.raises(InputError, match=r"a\.pth: auglocal_mm\.training_seconds.*'long'"):
        TrainingCostHook().after_load_checkpoint(SimpleNamespace(_resume=True, _load_from='a.pth'), checkpoint)
