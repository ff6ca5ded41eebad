"""Exported weights with their description, and files that have none of their own."""

import json
from pathlib import Path

import pytest
import torch

from auglocal_mm.errors import InputError
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.described_weights import read_described_weights

STATE = {'conv1.weight': torch.ones(2, 3, 1, 1)}
RECORDED = {'method': 'AugLocalHead', 'seed': 3, 'epoch': 2, 'accuracy': {'accuracy/top1': 50.0}}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / 'backbone.pth'
    write_backbone(path, {'state_dict': STATE, 'meta': {'iter': 9, 'auglocal_mm': RECORDED}})
    return path


def test_a_backbone_is_exported_again_with_its_description(exported, tmp_path):
    again = write_backbone(tmp_path / 'again.pth', read_described_weights(exported))
    assert again.read_text() == exported.with_suffix('.json').read_text()
    assert (tmp_path / 'again.pth').read_bytes() == exported.read_bytes()
    assert read_described_weights(exported)['meta']['seed'] == 3


def test_a_checkpoint_describes_itself(exported):
    checkpoint = {'state_dict': STATE, 'meta': {'iter': 7}}
    torch.save(checkpoint, exported)
    assert read_described_weights(exported)['meta'] == {'iter': 7}


@pytest.mark.parametrize('description', [None, '{"architecture": "resnet50", "epoch": 3}'])
def test_weights_of_other_programs_have_no_description(description, tmp_path):
    torch.save(STATE, tmp_path / 'model.pth')
    if description:
        (tmp_path / 'model.json').write_text(description)
    assert read_described_weights(tmp_path / 'model.pth').keys() == STATE.keys()


def test_a_description_of_other_weights_is_refused(exported):
    record = json.loads(exported.with_suffix('.json').read_text())
    exported.with_suffix('.json').write_text(json.dumps(record | {'sha256': '0' * 64}))
    with pytest.raises(InputError, match=r'backbone\.pth.*backbone\.json'):
        read_described_weights(exported)


def test_a_damaged_description_is_refused(exported):
    exported.with_suffix('.json').write_text('{')
    with pytest.raises(InputError, match=r'backbone\.json'):
        read_described_weights(exported)
