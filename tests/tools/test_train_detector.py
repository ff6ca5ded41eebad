"""The command line on a detector: from a backbone file to AP, and what is refused on the way."""

import json
import math
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from tests_support import assert_error, load_tool, tool
from torchvision.models.resnet import BasicBlock, ResNet

from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.evaluation_log import last_evaluation
from auglocal_mm.transfer.intervals import find_intervals
from auglocal_mm.transfer.transfer_result import read_work_dir
from auglocal_mm.weights.backbone_file import write_backbone

CONFIG = 'projects/digits_demo/configs/mask-rcnn_r34-bp_digits.py'


@pytest.fixture(scope='module')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes of digits for training, four for validation."""
    root = tmp_path_factory.mktemp('data') / 'digits'
    make_data = load_tool('projects/digits_demo/make_data.py')
    make_data.NUM_SCENES = {'train': 12, 'val': 4}
    make_data.make_data(root)
    return root


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """A narrow ResNet-18's file."""
    return save_backbone(tmp_path / 'backbone.pth', [2, 2, 2, 2])


def save_backbone(path: Path, blocks: list[int], drop: str = '') -> Path:
    network = ResNet(BasicBlock, blocks)
    network.inplanes = 8
    network.conv1, network.bn1 = torch.nn.Conv2d(3, 8, 7, bias=False), torch.nn.BatchNorm2d(8)
    for number, (count, stride) in enumerate(zip(blocks, (1, 2, 2, 2), strict=True)):
        setattr(network, f'layer{number + 1}', network._make_layer(BasicBlock, 8 * 2**number, count, stride))
    state = {f'backbone.{name}': value for name, value in network.state_dict().items() if not name.startswith('fc')}
    write_backbone(path, {'state_dict': {name: value for name, value in state.items() if name != drop}})
    return path


def train(scenes: Path, backbone: Path, work_dir: Path, *options: str) -> subprocess.CompletedProcess:
    small = [
        f'model.backbone.init_cfg.checkpoint={backbone}',
        'model.backbone.depth=18',
        'model.backbone.base_channels=8',
        'model.neck.in_channels=[8,16,32,64]',
        'model.roi_head.bbox_head.fc_out_channels=16',
        'model.roi_head.mask_head.conv_out_channels=16',
        'train_cfg.max_epochs=1',
        'train_cfg.val_interval=1',
        'model.test_cfg.rcnn.score_thr=0.0',
    ]
    arguments = ['tools/train.py', CONFIG, '--work-dir', str(work_dir), '--cfg-options', *small, *options]
    return tool(*arguments, DIGITS=str(scenes))


def test_starts_from_the_backbone_trains_and_evaluates(scenes, backbone, tmp_path):
    done = train(scenes, backbone, tmp_path / 'run')
    assert done.returncode == 0, done.stderr[-2000:]
    assert '0 missing' in done.stdout + done.stderr
    trained = read_work_dir(tmp_path / 'run')
    assert (trained.evaluation.epoch, trained.evaluation.iteration) == (1, 2)
    assert trained.evaluation.metrics == last_evaluation(tmp_path / 'run').metrics  # MMEngine's own log
    assert trained.pretraining.record == json.loads(backbone.with_suffix('.json').read_text())
    backbone.unlink()  # a trained detector has all its weights
    (config,) = (tmp_path / 'run').glob('*.py')
    arguments = [
        'tools/test.py',
        str(config),
        str(tmp_path / 'run' / 'epoch_1.pth'),
        '--work-dir',
        str(tmp_path / 'test'),
    ]
    tested = tool(*arguments, DIGITS=str(scenes))
    assert tested.returncode == 0, tested.stderr[-2000:]
    result = read_work_dir(tmp_path / 'test')
    assert (result.evaluation.metrics, result.evaluation.epoch) == (trained.evaluation.metrics, 1)
    assert result.pretraining == trained.pretraining
    comparison = compare({'validated': [tmp_path / 'run'], 'tested': [tmp_path / 'test']})
    intervals = find_intervals(comparison, replicates=5, seed=0)
    box = intervals.metrics['tested']['bbox_mAP']
    assert (intervals.num_images, box.difference, box.half_width) == (4, 0, math.inf)  # too few images
    more = ['--out', str(tmp_path / 'new' / 'found.pkl'), '--show-dir', 'shown']
    drawn = tool(*arguments[:-1], str(tmp_path / 'drawn'), *more, DIGITS=str(scenes))
    assert drawn.returncode == 0, drawn.stderr[-2000:]
    with open(tmp_path / 'new' / 'found.pkl', 'rb') as file:
        assert {'img_id', 'pred_instances'} <= pickle.load(file)[0].keys()
    assert len(list((tmp_path / 'drawn').glob('*/shown/*.png'))) == 4


def test_a_backbone_of_another_depth_is_refused(scenes, tmp_path):
    backbone = save_backbone(tmp_path / 'r34.pth', [3, 4, 6, 3])
    assert_error(train(scenes, backbone, tmp_path / 'run'), 'r34.pth', 'ResNet-34', 'ResNet-18')


def test_a_backbone_that_is_not_covered_is_refused(scenes, tmp_path):
    backbone = save_backbone(tmp_path / 'part.pth', [2, 2, 2, 2], drop='backbone.layer3.0.conv1.weight')
    assert_error(train(scenes, backbone, tmp_path / 'run'), 'part.pth', '1 missing', 'layer3.0.conv1.weight')


def test_a_backbone_file_that_was_changed_is_refused(scenes, backbone, tmp_path):
    state = torch.load(backbone, weights_only=True)
    torch.save({name: value + 1 for name, value in state.items()}, backbone)
    assert_error(train(scenes, backbone, tmp_path / 'run'), 'backbone.pth', 'SHA-256')


def test_a_missing_backbone_is_named(scenes, tmp_path):
    assert_error(train(scenes, tmp_path / 'nowhere.pth', tmp_path / 'run'), 'nowhere.pth')


def test_images_that_are_missing_are_counted_and_named(scenes, backbone, tmp_path):
    annotations = json.loads((scenes / 'scenes' / 'train.json').read_text())
    annotations['images'][3]['file_name'] = 'lost.png'
    (scenes / 'scenes' / 'lost.json').write_text(json.dumps(annotations))
    done = train(scenes, backbone, tmp_path / 'run', 'train_dataloader.dataset.ann_file=lost.json')
    assert_error(done, '1 of 12 images', 'lost.png', 'data_prefix')
    done = train(
        scenes,
        backbone,
        tmp_path / 'run',
        'val_dataloader.dataset.ann_file=lost.json',
        'val_dataloader.dataset.data_prefix.img=train/',
    )
    assert_error(done, '1 of 12 images', 'lost.png', 'data_prefix')


def test_missing_annotations_are_named(scenes, backbone, tmp_path):
    done = train(scenes, backbone, tmp_path / 'run', 'train_dataloader.dataset.ann_file=nowhere.json')
    assert_error(done, 'nowhere.json')


def test_a_wrong_number_of_classes_is_refused(scenes, backbone, tmp_path):
    done = train(scenes, backbone, tmp_path / 'run', 'model.roi_head.bbox_head.num_classes=3')
    assert_error(done, '10 classes', 'num_classes', '3')


def test_masks_of_another_number_of_classes_are_refused(scenes, backbone, tmp_path):
    done = train(scenes, backbone, tmp_path / 'run', 'model.roi_head.mask_head.num_classes=12')
    assert_error(done, 'num_classes of the model is 12', 'model.roi_head.mask_head')


def test_a_truncated_image_is_named_or_skipped(scenes, backbone, tmp_path):
    victim = (
        scenes
        / 'scenes'
        / 'train'
        / json.loads((scenes / 'scenes' / 'train.json').read_text())['images'][5]['file_name']
    )
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    try:
        assert_error(train(scenes, backbone, tmp_path / 'run'), str(victim), 'skip_corrupt')
        skip = 'train_dataloader.dataset.pipeline.0.skip_corrupt=True'
        done = train(scenes, backbone, tmp_path / 'skipping', skip)
        assert done.returncode == 0, done.stderr[-2000:]
        assert f'{victim} is corrupt' in done.stderr
    finally:
        victim.write_bytes(whole)
