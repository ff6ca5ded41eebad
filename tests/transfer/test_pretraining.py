import json
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.pretraining import Pretraining, read_pretraining
from auglocal_mm.transfer.run_config import RunConfig

RECORD = {'method': 'auglocal', 'architecture': 'resnet34', 'accuracy': {'accuracy/top1': 93.1}, 'sha256': 'abc'}


def config_with(init_cfg: Any) -> RunConfig:
    return RunConfig(Path('config.py'), '', {'model': {'backbone': {'init_cfg': init_cfg}}})


def test_record_beside_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps(RECORD))
    checkpoint = str(tmp_path / 'backbone.pth')
    pretraining = read_pretraining(config_with({'type': 'Pretrained', 'checkpoint': checkpoint}), Path('no_work_dir'))
    assert pretraining == Pretraining(checkpoint, RECORD)
    assert (pretraining.method, pretraining.top1) == ('auglocal', 93.1)


def test_the_record_that_the_detector_kept_counts_more(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps({**RECORD, 'method': 'exported later'}))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'pretraining.json').write_text(json.dumps(RECORD))
    config = config_with({'type': 'Pretrained', 'checkpoint': str(tmp_path / 'backbone.pth')})
    assert read_pretraining(config, tmp_path / 'run').record == RECORD


@pytest.mark.parametrize(
    'init_cfg', [None, {}, {'checkpoint': 'torchvision://resnet50'}, {'checkpoint': 'no/such.pth'}]
)
def test_without_a_record_nothing_is_claimed(init_cfg: Any) -> None:
    pretraining = read_pretraining(config_with(init_cfg), Path('no_work_dir'))
    assert (pretraining.method, pretraining.top1) == (None, None)
    assert pretraining.checkpoint == (init_cfg or {}).get('checkpoint')


def test_record_without_accuracy() -> None:
    assert Pretraining('b.pth', {'method': 'bp', 'accuracy': None}).top1 is None


@pytest.mark.parametrize('text', ['{"method": ', '[1]'])
def test_broken_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / 'backbone.json').write_text(text)
    with pytest.raises(InputError, match=r'backbone\.json is no JSON object'):
        read_pretraining(config_with({'checkpoint': str(tmp_path / 'backbone.pth')}), Path('no_work_dir'))
