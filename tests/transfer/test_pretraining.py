import json
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.pretraining import Pretraining, read_pretraining
from auglocal_mm.transfer.run_config import RunConfig

RECORD = {'method': 'auglocal', 'architecture': 'resnet34', 'accuracy': {'accuracy/top1': 93.1}, 'sha256': 'abc'}


def config_with(init_cfg: Any) -> RunConfig:
    return RunConfig(Path('config.py'), {'model': {'backbone': {'init_cfg': init_cfg}}})


def test_record_beside_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps(RECORD))
    checkpoint = str(tmp_path / 'backbone.pth')
    pretraining = read_pretraining(config_with({'type': 'Pretrained', 'checkpoint': checkpoint}), Path('no_work_dir'))
    assert pretraining == Pretraining(checkpoint, RECORD)
    assert (pretraining.method, pretraining.top1) == ('auglocal', 93.1)
    several = [{'type': 'Normal', 'layer': 'Conv2d'}, {'type': 'Pretrained', 'checkpoint': checkpoint}]
    assert read_pretraining(config_with(several), Path('no_work_dir')) == pretraining


def test_the_record_that_the_detector_kept_counts_more(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps({**RECORD, 'method': 'exported later'}))
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'pretraining.json').write_text(json.dumps(RECORD))
    config = config_with({'type': 'Pretrained', 'checkpoint': str(tmp_path / 'backbone.pth')})
    assert read_pretraining(config, tmp_path / 'run').record == RECORD


def test_weights_that_replace_the_whole_detector_are_not_those_of_the_backbone_file(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps(RECORD))
    values = config_with({'type': 'Pretrained', 'checkpoint': str(tmp_path / 'backbone.pth')}).values
    start = RunConfig(Path('config.py'), {**values, 'load_from': 'detector.pth', 'resume': False})
    assert read_pretraining(start, Path('no_work_dir')) == Pretraining('detector.pth')
    resumed = RunConfig(Path('config.py'), {**values, 'load_from': 'epoch_1.pth', 'resume': True})
    assert read_pretraining(resumed, Path('no_work_dir')).record == RECORD


@pytest.mark.parametrize(
    'init_cfg', [None, {}, {'checkpoint': 'torchvision://resnet50'}, {'checkpoint': 'no/such.pth'}]
)
def test_without_a_record_nothing_is_claimed(init_cfg: Any) -> None:
    pretraining = read_pretraining(config_with(init_cfg), Path('no_work_dir'))
    assert (pretraining.method, pretraining.top1) == (None, None)
    assert pretraining.checkpoint == (init_cfg or {}).get('checkpoint')


def test_record_without_accuracy() -> None:
    assert Pretraining('b.pth', {'method': 'bp', 'accuracy': None}).top1 is None


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('{"method": ', 'JSON'),
        ('[1]', r'\[1\]'),
        ('', 'JSON'),
        ('{"accuracy": {"accuracy/top1": "93"}}', "accuracy.accuracy/top1 .*'93'"),
        ('{"accuracy": {"accuracy/top1": NaN}}', 'accuracy.accuracy/top1 .*nan'),
        ('{"accuracy": {"accuracy/top1": 931}}', 'accuracy.accuracy/top1 .*931'),
        ('{"accuracy": [93.1]}', r'accuracy .*\[93.1\]'),
        ('{"method": "a", "method": "b"}', "'method'"),
        ('{"epoch": -1}', 'epoch .*-1'),
        ('{"epoch": true}', 'epoch .*True'),
        ('{"sha256": 5}', 'sha256 .*5'),
        ('{"method": ["BP"]}', r"method .*\['BP'\]"),
        ('{"method": "\\ud800\xff"}', 'JSON'),
        ('[' * 10**5, 'JSON'),
        (f'{{"epoch": {"9" * 5000}}}', 'JSON'),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_broken_record_is_refused(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / 'backbone.json').write_text(text, encoding='latin-1')
    with pytest.raises(InputError, match=rf'backbone\.json.*{named}'):
        read_pretraining(config_with({'checkpoint': str(tmp_path / 'backbone.pth')}), Path('no_work_dir'))


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / 'backbone.json').write_text(json.dumps(RECORD), encoding='utf-8-sig')
    assert read_pretraining(config_with({'checkpoint': str(tmp_path / 'backbone.pth')}), Path('no')).record == RECORD
