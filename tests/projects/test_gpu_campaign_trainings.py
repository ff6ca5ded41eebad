"""GPU campaign: trainings side by side, the choice of epochs, and the stages that train."""

import json
import sys
import time

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from pycocotools import mask as coco_mask
from tests_coco import scenes, write_scenes
from tests_support import REPOSITORY, tool

from auglocal_mm.models import ImageClassifier
from auglocal_mm.registry import MODELS

sys.path.insert(0, str(REPOSITORY / 'projects/gpu_campaign'))

import cifar10
import coco
import shrink_coco
import tiny_imagenet
import trainings
from campaign import Campaign, Rows
from iteration_seconds import iteration_seconds
from schedules import choose_epochs, schedule
from trainings import Training, train_all

STAGE = f"""
import importlib, sys, time
from pathlib import Path
sys.path.insert(0, {str(REPOSITORY / 'projects/gpu_campaign')!r})
import schedules
from campaign import Campaign, Rows
schedules.iteration_seconds = lambda *_: 0.1  # trainings are forked, which must come before any backward pass
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    campaign = Campaign(folder / 'no_data', folder / 'work', 'cpu', True, time.monotonic() + 60)
    importlib.import_module(name).run(campaign, Rows(folder / f'{{name}}.json', 'cpu'))
"""
FAKE = """
import sys, time
from pathlib import Path
config, folder = sys.argv[1], Path(sys.argv[3])
started = time.monotonic()
if config == 'fails':
    sys.exit('many words\\nerror: depth is 33; expected 34\\n')
time.sleep({'works': 0.3, 'hangs': 60}[config])
folder.mkdir()
(folder / 'times.txt').write_text(f'{started} {time.monotonic()}')
"""


def campaign_in(folder, seconds: float = 300, miniature: bool = False) -> Campaign:
    return Campaign(folder / 'data', folder / 'work', 'cpu', miniature, time.monotonic() + seconds)


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    """A training that works, fails, or hangs, as its config is called."""
    path = tmp_path / 'fake.py'
    path.write_text(FAKE)
    monkeypatch.setattr(trainings, 'TOOL', str(path))


def fake_trainings(folder, *configs: str) -> list[Training]:
    return [Training(f'{config} {index}', 0, config, folder / str(index), {}) for index, config in enumerate(configs)]


def read_times(work_dir) -> dict:
    return {'times': [float(value) for value in (work_dir / 'times.txt').read_text().split()]}


def test_the_stages_that_train_in_miniature_and_a_second_start_repeats_nothing(tmp_path):
    script = tmp_path / 'stage.py'
    script.write_text(STAGE)
    done = tool(str(script), str(tmp_path), 'tiny_imagenet', 'cifar10', 'coco')
    assert done.returncode == 0, done.stderr[-2000:]
    first = json.loads((tmp_path / 'tiny_imagenet.json').read_text())
    assert set(first['rows']) == {'BP, seed 0', 'K = 2, d = 2, seed 0'}
    for row in first['rows'].values():
        assert row['epochs'] == 1 == len(row['top1 by epoch']), row
        assert row['accuracy']['accuracy/top1'] == row['top1 by epoch'][-1]
    methods = json.loads((tmp_path / 'cifar10.json').read_text())['rows']
    assert set(methods) == {'BP, seed 0', 'MAN, d = 4, seed 0'}
    assert all(row['epochs'] == 1 for row in methods.values()), methods
    detectors = json.loads((tmp_path / 'coco.json').read_text())['rows']
    assert set(detectors) == {'BP, seed 0', 'random initialisation, seed 0'}
    assert all('coco/segm_mAP' in row['metrics'] for row in detectors.values()), detectors
    assert detectors['BP, seed 0']['pretraining']['sha256'] == first['rows']['BP, seed 0']['sha256']
    assert detectors['random initialisation, seed 0']['pretraining'] is None
    lost = first['rows'].pop('K = 2, d = 2, seed 0')
    (tmp_path / 'tiny_imagenet.json').write_text(json.dumps(first))
    done = tool(str(script), str(tmp_path), 'tiny_imagenet')
    assert done.returncode == 0, done.stderr[-2000:]
    second = json.loads((tmp_path / 'tiny_imagenet.json').read_text())
    assert second['rows']['BP, seed 0'] == first['rows']['BP, seed 0']
    assert second['schedule'] == first['schedule']
    again = second['rows']['K = 2, d = 2, seed 0']
    assert again['resumed']
    assert again['sha256'] == lost['sha256']


def test_a_failure_is_a_row_with_its_last_line_and_others_go_on(tmp_path, fake_tool):
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    rows.add('works 1, seed 0', {'kept': True})
    runs = fake_trainings(tmp_path, 'fails', 'works', 'works')
    train_all(runs, campaign_in(tmp_path), rows, read_times, parallel=1)
    found = json.loads((tmp_path / 'rows.json').read_text())['rows']
    assert found['fails 0, seed 0']['error'] == 'error: depth is 33; expected 34'
    assert found['fails 0, seed 0']['status'] == 1
    assert found['works 1, seed 0'] == {'kept': True}
    assert not runs[1].folder.exists()
    assert 'error' not in found['works 2, seed 0']


def test_as_many_run_at_the_same_time_as_allowed(tmp_path, fake_tool):
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    train_all(fake_trainings(tmp_path, *['works'] * 5), campaign_in(tmp_path), rows, read_times, parallel=2)
    times = [row['times'] for row in rows.data['rows'].values()]
    assert len(times) == 5
    together = [sum(start <= moment < end for start, end in times) for moment, _ in times]
    assert max(together) == 2


def test_at_the_deadline_trainings_are_stopped_without_a_row_and_nothing_starts(tmp_path, fake_tool):
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    runs = fake_trainings(tmp_path, 'works', 'hangs', 'hangs', 'works')
    begun = time.monotonic()
    train_all(runs, campaign_in(tmp_path, seconds=2), rows, read_times, parallel=2)
    assert time.monotonic() - begun < 30
    assert list(rows.data['rows']) == ['works 0, seed 0']
    assert [run.folder.exists() for run in runs] == [True, True, True, False]


@pytest.mark.parametrize(
    ('seconds', 'epoch_seconds', 'most', 'epochs'),
    [(100, [2, 3], 50, 20), (100, [2, 3], 10, 10), (99, [2, 3], 50, 19), (1, [2, 3], 50, 2), (1, [2, 3], 1, 1)],
)
def test_epochs_fit_the_time(seconds, epoch_seconds, most, epochs):
    assert choose_epochs(seconds, epoch_seconds, most) == epochs


def test_the_schedule_warms_up_for_a_twentieth_of_the_epochs_and_decays_to_the_end():
    warm_up, decay = schedule(60)['param_scheduler']
    assert (warm_up['end'], decay['T_max']) == (3, 60)
    assert schedule(4)['param_scheduler'][0]['end'] == 1


def test_the_measurement_trains(tmp_path):
    init_default_scope('auglocal_mm')
    (_, run) = tiny_imagenet.trainings(campaign_in(tmp_path, miniature=True), tmp_path, 1)
    assert 0 < iteration_seconds(run.read_config(), 'cpu', 0, 1) < 60


def build(training: Training) -> ImageClassifier:
    init_default_scope('auglocal_mm')
    with torch.device('meta'):
        return MODELS.build(training.read_config().model)


def test_schemes_of_tiny_imagenet(tmp_path):
    runs = tiny_imagenet.trainings(campaign_in(tmp_path), tmp_path, 40)
    assert [run.seed for run in runs] == [0] * 7 + [1] * 7 + [2] * 7
    modules = {run.scheme: len(build(run).local_modules()) for run in runs[:7]}
    assert modules == {
        'BP': 1,
        'K = 2, d = 2': 2,
        'K = 4, d = 3': 4,
        **{f'layer-wise, {heads}': 17 for heads in ('d = 5', 'pooled', 'pooled, half width')},
        'K = 4, DGL': 4,
    }
    config = runs[-1].read_config()
    assert (config.randomness.seed, config.train_cfg.max_epochs) == (2, 40)
    assert config.train_dataloader.dataset.data_root == str(tmp_path)
    assert config.train_dataloader.dataset.in_memory
    assert config.optim_wrapper.dtype == 'bfloat16'


def test_methods_of_cifar10(tmp_path):
    runs = cifar10.trainings(campaign_in(tmp_path), tmp_path, 40, (0, 1))
    assert [run.seed for run in runs] == [0] * 12 + [1] * 12
    models = {run.scheme: build(run) for run in runs[:12]}
    assert {name: len(model.local_modules()) for name, model in models.items()} == {
        'BP': 1,
        **dict.fromkeys(('DGL', 'PredSim', 'InfoPro'), 16),
        **{f'd = {depth}': 17 - depth for depth in (2, 3, 4, 5, 6)},
        **dict.fromkeys(('d = 4, pooled', 'd = 4, pooled, half width', 'MAN, d = 4'), 13),
    }
    heads = runs[10].read_config().model.auxiliary_heads
    assert heads == dict(type='AugLocalHead', depth=4, pyramid=0.5, shallow_norm=True, pooling=2, width=0.5)
    config = runs[-1].read_config()
    assert config.train_dataloader.batch_size == 1024
    assert config.train_dataloader.dataset.type == 'ImageFolder'
    assert config.val_dataloader.dataset.split == 'test'
    assert config.optim_wrapper.optimizer.lr == 0.8


def test_detectors_start_from_backbones_of_the_same_seed_and_missing_ones_are_noted(tmp_path, fake_tool):
    campaign = campaign_in(tmp_path, seconds=-1)
    runs = coco.trainings(campaign, tmp_path)
    assert [run.name for run in runs[1:4]] == [
        'layer-wise, d = 5, seed 0',
        'random initialisation, seed 0',
        'BP, seed 1',
    ]
    config = runs[3].read_config()
    path = tiny_imagenet.backbone(campaign, 'BP', 1)
    assert config.model.backbone.init_cfg.checkpoint == str(path)
    assert config.param_scheduler[1].T_max == config.train_cfg.val_interval == 24
    path.parent.mkdir(parents=True)
    path.touch()
    (campaign.data / 'coco_small').mkdir(parents=True)
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    coco.run(campaign, rows)
    names = [run.name for run in runs]
    assert rows.data['missing'] == [name for name in names if name not in ('BP, seed 1', names[2])]


def test_shrunk_annotations_fit_the_shrunk_images(tmp_path):
    content = scenes()  # 80 x 60, 60 x 80, and 70 x 70 pixels
    small = shrink_coco.shrink_annotations(content, 40)
    assert [(image['width'], image['height']) for image in small['images']] == [(40, 30), (30, 40), (40, 40)]
    first, crowd = small['annotations'][0], small['annotations'][-1]
    assert first['bbox'] == [1, 1.5, 10, 15]
    assert first['area'] == 150
    assert first['segmentation'] == [[1, 1.5, 11, 1.5, 11, 16.5, 1, 16.5]]
    assert shrink_coco.shrink_segmentation([[10, 20, 30, 40]], (100, 100), (50, 20)) == [[5, 4, 15, 8]]
    mask = coco_mask.decode(crowd['segmentation'])
    assert mask.shape == (40, 40)
    box = coco_mask.toBbox(crowd['segmentation'])
    assert np.abs(box - crowd['bbox']).max() < 1, (box, crowd['bbox'])
    uncompressed = {'size': [70, 70], 'counts': [4 * 70, 70, 65 * 70]}  # the column at x = 4
    column = coco_mask.decode(shrink_coco.shrink_segmentation(uncompressed, (70, 70), (35, 35)))
    assert not np.delete(column, 2, axis=1).any()
    assert shrink_coco.shrink_annotations(content, 80) == content
    write_scenes(tmp_path, content)
    shrink_coco.shrink_images(tmp_path / 'images', tmp_path / 'small', 40)
    assert [Image.open(tmp_path / f'small/{index}.png').size for index in (1, 2, 3)] == [(40, 30), (30, 40), (40, 40)]
