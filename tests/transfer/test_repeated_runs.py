"""Runs of a name that depend on each other."""

import json
import shutil

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.evaluation_record import EvaluationRecord, Evaluations, TrainingRecord, write_evaluations
from auglocal_mm.transfer.repeated_runs import number_of_backbones
from auglocal_mm.transfer.transfer_result import read_work_dir
from auglocal_mm.weights.backbone_record import BackboneRecord

RANDOM = 'randomness = dict(seed={seed})\n'


@pytest.fixture
def make_recorded(tmp_path):
    """Writes a work_dir with an ``evaluation.json``."""

    def make(name, training='1', seed=0, sha256='a'):
        (tmp_path / name).mkdir()
        record = EvaluationRecord(
            training=TrainingRecord(id=training, backbone='backbone.pth', pretraining=BackboneRecord(sha256=sha256)),
            epoch=12,
            iteration=None,
            checkpoint=None,
            metrics={'coco/bbox_mAP': 0.3},
            settings={'randomness': {'seed': seed}},
        )
        write_evaluations(tmp_path / name, Evaluations(validation=record))
        return tmp_path / name

    return make


def test_a_copied_work_dir_is_no_second_seed(make_recorded, tmp_path):
    first = make_recorded('a')
    shutil.copytree(first, tmp_path / 'copy')
    with pytest.raises(InputError, match=r'/a and .*/copy are of the same training'):
        compare({'BP': [first, tmp_path / 'copy'], 'AugLocal': [make_recorded('other')]})


def test_a_training_may_be_compared_with_itself(make_recorded):
    """With and without augmentation at test time, for example."""
    compare({'plain': [make_recorded('a')], 'augmented': [make_recorded('b')]})


def test_the_same_seed_from_the_same_backbone_is_no_second_seed(make_recorded):
    runs = [make_recorded('a'), make_recorded('b', training='2')]
    with pytest.raises(InputError, match=r'/a and .*/b start from the same backbone with the same seed, 0;'):
        compare({'BP': runs, 'AugLocal': [make_recorded('other', training='3')]})


@pytest.mark.parametrize('differing', [{'seed': 1}, {'sha256': 'b'}])
def test_another_seed_or_another_backbone_is(make_recorded, differing):
    runs = [make_recorded('a'), make_recorded('b', training='2', **differing)]
    compare({'BP': runs, 'AugLocal': [make_recorded('other', training='3')]})


def test_without_a_record_the_file_of_weights_identifies_the_backbone(make_work_dir):
    runs = [make_work_dir(name, seed=3) for name in 'ab']
    with pytest.raises(InputError, match=r'the same seed, 3;'):
        compare({'BP': runs, 'AugLocal': [make_work_dir('other')]})


def test_seeds_of_mmengine_that_no_config_gives_are_not_compared(make_work_dir):
    runs = [make_work_dir(name, seed='None') for name in 'ab']
    compare({'BP': runs, 'AugLocal': [make_work_dir('other')]})


def test_backbones_are_counted_by_their_weights(make_recorded):
    runs = [make_recorded(str(seed), str(seed), seed, sha256) for seed, sha256 in enumerate('aab')]
    assert number_of_backbones([read_work_dir(run) for run in runs]) == 2


def test_random_weights_are_others_in_each_run(make_recorded):
    runs = [make_recorded(str(seed), str(seed), seed) for seed in range(2)]
    for run in runs:
        content = json.loads((run / 'evaluation.json').read_text())
        content['validation']['training'].update(backbone=None, pretraining=None)
        (run / 'evaluation.json').write_text(json.dumps(content))
    assert number_of_backbones([read_work_dir(run) for run in runs]) == 2


def test_detectors_that_start_from_different_detectors_are_no_repetitions(make_work_dir, config_text):
    """Whole checkpoints replace the weights of one and the same backbone file."""
    starts = {name: config_text.replace('load_from = None', f"load_from = '{name}.pth'") for name in 'ab'}
    runs = [make_work_dir(name, config=text, seed=0) for name, text in starts.items()]
    assert number_of_backbones([read_work_dir(run) for run in runs]) == 2
    compare({'BP': runs, 'AugLocal': [make_work_dir('other')]})


def test_random_weights_of_one_seed_are_the_same(make_work_dir):
    runs = [make_work_dir(name, config=RANDOM, seed=0) for name in 'ab']
    with pytest.raises(InputError, match='start from random weights with the same seed, 0;'):
        compare({'random': runs, 'AugLocal': [make_work_dir('other')]})
