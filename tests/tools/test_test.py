"""What ``tools/test.py`` writes and refuses, in this process."""

import pickle
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from tests_support import REPOSITORY, call, load_tool, write
from tests_training import tiny_training, write_images

from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.registry import MODELS
from auglocal_mm.weights.checkpoint_file import read_weights


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    settings = {'work_dir': str(folder / 'work_dir'), 'train_cfg.max_epochs': 1}
    config = tiny_training('bp', write_images(folder / 'images'), **settings)
    Runner.from_cfg(config).train()
    return [write(config, folder / 'tiny.py'), f'{config.work_dir}/epoch_1.pth']


@pytest.fixture
def options(tmp_path):
    """Runs that start in the same second would share what MMEngine keeps by the name of an experiment: log and visualizer."""
    return ['--work-dir', str(tmp_path / 'test'), '--cfg-options', f'experiment_name={tmp_path.name}']


@pytest.fixture
def trained(training, options):
    return [*training, *options]


def test_predictions_are_written(trained, tmp_path):
    call('tools/test.py', *trained, '--out', str(tmp_path / 'new' / 'found.pkl'))
    with open(tmp_path / 'new' / 'found.pkl', 'rb') as file:
        found = pickle.load(file)
    assert len(found) == 6
    assert found[0]['pred_scores'].shape == (3,)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        (['--out', 'found.json'], '--out is found.json'),
        (['--show-dir', 'shown'], 'default_hooks.visualization'),
        (['--tta'], 'tta_model'),
    ],
)
def test_what_a_classifier_cannot_do_is_said(trained, given, said, capsys):
    with pytest.raises(SystemExit) as ended:
        call('tools/test.py', *trained, *given)
    assert ended.value.code == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize('name', ['backbone.pth', 'bare.pth'])
def test_a_backbone_alone_is_not_evaluated(training, options, tmp_path, capsys, name):
    config, checkpoint = training
    weights = read_weights(Path(checkpoint).with_name('backbone.pth'))
    torch.save(weights if name == 'backbone.pth' else {'state_dict': weights}, tmp_path / name)
    with pytest.raises(SystemExit, match='1'):
        call('tools/test.py', config, str(tmp_path / name), *options)
    said = capsys.readouterr().err
    assert f'{tmp_path / name} contains a backbone alone' in said and 'ImageClassifier' in said


def test_a_detector_of_boxes_is_augmented_and_its_weights_still_fit():
    tool = load_tool('tools/test.py')
    config = Config.fromfile(REPOSITORY / 'configs/bp/benchmarks/mask-rcnn_r34-bp_fpn_8xb2-1x-adamw_coco.py')
    with pytest.raises(InputError, match='mask_head'):
        tool.augment(config)
    config.model.roi_head.mask_head = None
    names = MODELS.build(config.model).state_dict().keys()
    tool.augment(config)
    assert [step['type'] for step in config.test_dataloader.dataset.pipeline].count('TestTimeAug') == 1
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert unwrapped(MODELS.build(config.model)).state_dict().keys() == names
