"""The demo's data and stages. The demo itself, at full length, is ``make demo``."""

import hashlib
import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from pycocotools.coco import COCO
from rich.console import Console
from tests_support import REPOSITORY

sys.path.insert(0, str(REPOSITORY / 'projects/digits_demo'))

import make_data as data_module
import run_demo
from make_data import make_data
from stages import Stage, StageError, run_stages

CONFIGS = REPOSITORY / 'projects/digits_demo/configs'


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('demo') / 'digits'
    make_data(root)
    return root


def hashes(root: Path, pattern: str) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.glob(pattern))}


def test_data_is_the_same_every_time(data, tmp_path):
    make_data(tmp_path / 'again')
    assert hashes(data, '**/*.*') == hashes(tmp_path / 'again', '**/*.*')
    assert len(list(data.glob('digits/*/*/*.png'))) == 1797


def test_data_is_written_once_and_unfinished_data_is_replaced(data, tmp_path, monkeypatch):
    root = tmp_path / 'digits'
    monkeypatch.setattr(data_module, '_write_scenes', lambda *_: pytest.fail('killed here'))
    with pytest.raises(pytest.fail.Exception, match='killed here'):
        make_data(root)
    assert not root.exists()
    (tmp_path / 'digits.unfinished' / 'digits' / 'train' / '0' / 'left_over.png').touch()
    monkeypatch.undo()
    make_data(root)
    assert hashes(root, '**/*.*') == hashes(data, '**/*.*')
    monkeypatch.setattr(data_module, 'load_digits', lambda: pytest.fail('the data exist'))
    make_data(root)


def test_digits_of_training_and_validation_are_disjoint(data):
    train, val = (set(hashes(data, f'digits/{split}/*/*.png').values()) for split in ('train', 'val'))
    assert train and val and not train & val


@pytest.mark.parametrize('split', ['train', 'val'])
def test_scenes_are_coco_and_their_masks_lie_on_ink(data, split):
    coco = COCO(data / 'scenes' / f'{split}.json')
    assert len(coco.getImgIds()) == data_module.NUM_SCENES[split]
    assert {annotation['category_id'] for annotation in coco.anns.values()} == set(range(1, 11))
    for image in coco.loadImgs(coco.getImgIds()):
        pixels = np.asarray(Image.open(data / 'scenes' / split / image['file_name']))
        assert pixels.shape == (image['height'], image['width'])
        masks = [(coco.annToMask(a).astype(bool), a) for a in coco.loadAnns(coco.getAnnIds(image['id']))]
        assert masks and sum(mask.astype(int) for mask, _ in masks).max() == 1, 'no digit overlaps another'
        for mask, annotation in masks:
            assert pixels[mask].min() > 64
            left, top, width, height = map(int, annotation['bbox'])
            assert mask[top : top + height, left : left + width].sum() == mask.sum() == annotation['area'] > 0


def test_methods_differ_in_three_lines_and_detectors_in_the_backbone_alone():
    assert len((CONFIGS / Path(run_demo.AUGLOCAL.config).name).read_text().splitlines()) == 3
    detectors = [
        Config.fromfile(REPOSITORY / stage.config) for stages in run_demo.DETECTORS.values() for stage in stages[:1]
    ]
    starts = [detector.model.backbone.pop('init_cfg') for detector in detectors]
    assert all(detector.to_dict() == detectors[0].to_dict() for detector in detectors)
    pretrained = [f'{stage.work_dir}/backbone.pth' for stage in (run_demo.BP, run_demo.AUGLOCAL)]
    assert [start and start['checkpoint'] for start in starts] == [*pretrained, None]


def tiny_stage(tmp_path: Path, tiny_config, **overrides) -> Stage:
    path = tmp_path / 'tiny_stage.py'
    config = tiny_config(**overrides)
    config.pop('work_dir')
    config.dump(path)
    return Stage('Tiny', str(path))


def test_a_stage_trains_with_progress_and_is_resumed(tmp_path, tiny_config, monkeypatch):
    stage = tiny_stage(tmp_path, tiny_config)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').symlink_to(REPOSITORY / 'tools')
    monkeypatch.setenv('PYTHONPATH', str(REPOSITORY))
    console = Console(file=io.StringIO(), width=100)
    run_stages([[stage]], console)
    assert 'Tiny' in console.file.getvalue()
    assert (stage.work_dir / 'backbone.json').is_file()
    assert 'Epoch(train) [2][3/3]' in (stage.work_dir / 'output.log').read_text()
    (tmp_path / 'tools').unlink()
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text('import sys; print(sys.argv[1:])')
    run_stages([[stage]], console)
    assert (stage.work_dir / 'output.log').read_text() == f"['{stage.config}', '--resume']\n"


FAILS_OR_WAITS = """import sys, time
if 'long' in sys.argv[1]:
    time.sleep(600)
sys.exit('error: there is no /nowhere')
"""


def test_a_failing_stage_is_named_with_its_reason_and_stops_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(FAILS_OR_WAITS)
    for name in ('tiny', 'long'):
        (tmp_path / f'{name}.py').write_text('train_cfg = dict(max_epochs=2)')
    start = time.monotonic()
    with pytest.raises(StageError, match=r'Tiny\b.*/nowhere\b.*output\.log'):
        run_stages([[Stage('Tiny', 'tiny.py')], [Stage('Long', 'long.py')]], Console(file=io.StringIO()))
    assert time.monotonic() - start < 300, 'the long one was waited for'


def test_a_stage_that_a_signal_ended_is_not_called_failed(tmp_path, tiny_config, monkeypatch):
    stage = tiny_stage(tmp_path, tiny_config)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text('import os\nprint("epoch 3", flush=True)\nos.kill(os.getpid(), 9)\n')
    with pytest.raises(StageError, match=r'Tiny\b.*SIGKILL\b.*epoch 3\b'):
        run_stages([[stage]], Console(file=io.StringIO()))


def write_results(top1: float, bp: float, auglocal: float, random: float) -> None:
    for stage in (run_demo.BP, run_demo.AUGLOCAL):
        stage.work_dir.mkdir(parents=True)
        (stage.work_dir / 'backbone.json').write_text(json.dumps({'accuracy': {'accuracy/top1': top1}}))
    run_demo.COMPARISON.mkdir(parents=True)
    box_ap50 = {'BP': bp, 'AugLocal': auglocal, 'random': random}
    names = {name: {'metrics': {'bbox_mAP_50': {'mean': value}}} for name, value in box_ap50.items()}
    (run_demo.COMPARISON / 'comparison.json').write_text(json.dumps({'names': names}))


@pytest.mark.parametrize(
    ('results', 'named'),
    [
        ((97.0, 78.0, 80.0, 33.0), []),
        ((94.0, 78.0, 80.0, 33.0), [('ResNet-34 by BP ', '94.0', '95.0'), ('ResNet-34 by AugLocal ', '94.0', '95.0')]),
        ((97.0, 78.0, 29.0, 10.0), [('Mask R-CNN from AugLocal ', 'box AP50', '29.0', '30.0')]),
        ((97.0, 40.0, 80.0, 50.0), [('Mask R-CNN from BP ', 'box AP50', '40.0', '50.0')]),
    ],
)
def test_a_missed_level_is_reported(tmp_path, monkeypatch, results, named):
    monkeypatch.chdir(tmp_path)
    write_results(*results)
    missed = run_demo.missed_levels()
    assert len(missed) == len(named)
    for words, sentence in zip(named, missed, strict=True):
        assert all(word in sentence for word in words)
