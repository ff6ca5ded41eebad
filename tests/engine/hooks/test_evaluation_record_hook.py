"""Real runs of a toy detector: validations and tests, resumed, restarted, moved."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from tests_models import ToyDetector
from torch.utils.data import DataLoader

from auglocal_mm.engine.checkpoint import latest_checkpoint
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.evaluation_record import read_evaluations
from auglocal_mm.transfer.recorded_matches import read_matches
from auglocal_mm.transfer.transfer_result import read_work_dir

BEST = {'save_best': 'coco/bbox_mAP', 'rule': 'greater'}
NUMBERS = itertools.count()


def matches(score: float) -> Matches:
    """One object, detected with this score."""
    shapes = {'counts': (1, 1), 'positives': (1, 4, 1), 'matched': (4, 1, 1), 'ignored': (4, 1, 1)}
    arrays = {name: np.ones(shape, bool if name in ('matched', 'ignored') else int) for name, shape in shapes.items()}
    ids = {name: np.array([1]) for name in ('image_ids', 'category_ids', 'max_detections')}
    floats = {'scores': np.array([score]), 'iou_thresholds': np.array([0.5])}
    return Matches('', category_names=np.array(['person']), **arrays, **ids, **floats)


class ListedMetric(BaseMetric):
    """Gives the box AP of a list, one after the other; nothing where that is None."""

    default_prefix = 'coco'

    def __init__(self, values: list[float | None]) -> None:
        super().__init__()
        self.values = iter(values)

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(1)

    def compute_metrics(self, results: list[int]) -> dict[str, Any]:
        value = next(self.values)
        more = {'person_precision': float('nan'), 'size': torch.tensor(3)}
        self.class_ap = {} if value is None else {'bbox': {'person': value, 'toaster': float('nan')}}
        self.matches = {} if value is None else {'bbox': matches(value)}
        return {} if value is None else {'bbox_mAP': value, 'segm_mAP': -1.0, **more}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Runner]:
    """Trains (or tests) a toy detector with these box AP."""
    record = {'method': 'AugLocalHead', 'accuracy': {'accuracy/top1': 70.5}}
    (tmp_path / 'backbone.json').write_text(json.dumps(record))

    def run(
        folder: str, values: list[float | None], load_from: Path | None = None, test: bool = False, **more: Any
    ) -> Runner:
        init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'backbone.pth')}
        settings = {'resume': bool(load_from) and not test, 'load_from': load_from and str(load_from), **more}
        config = {'model': {'backbone': {'type': 'ResNet', 'init_cfg': init_cfg}}, 'work_dir': folder, **settings}
        data = DataLoader([{'inputs': 1.0}])
        metric = [ListedMetric(values)]
        runner = Runner(
            model=ToyDetector(),
            work_dir=str(tmp_path / folder),
            train_dataloader=data,
            train_cfg={'by_epoch': True, 'max_epochs': ((settings['resume'] and 1) or 0) + len(values)},
            optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
            val_dataloader=data,
            val_cfg={},
            val_evaluator=metric,
            test_dataloader=data,
            test_cfg={},
            test_evaluator=metric,
            default_hooks={
                'logger': {'type': 'LoggerHook', 'interval': 1},
                'checkpoint': {'type': 'auglocal_mm.CheckpointHook', 'interval': 1, **BEST},
                'evaluation_record': {'type': 'auglocal_mm.EvaluationRecordHook'},
            },
            cfg=Config(config),
            resume=settings['resume'],
            load_from=settings['load_from'],
            randomness=settings.get('randomness', {'seed': None}),
            env_cfg={'dist_cfg': {'backend': 'gloo'}},
            experiment_name=f'evaluation_record_{next(NUMBERS)}_{tmp_path.name}',
        )
        runner.test() if test else runner.train()
        return runner

    return run


def test_the_last_validation_is_written_down_with_all_that_it_depends_on(run, tmp_path):
    run('a', [0.5, 0.25], lr=0.1)
    validation = read_evaluations(tmp_path / 'a').validation
    assert (validation.epoch, validation.iteration, validation.checkpoint) == (2, 2, None)
    assert validation.metrics == {
        'coco/bbox_mAP': 0.25,
        'coco/segm_mAP': -1.0,
        'coco/person_precision': 'nan',
        'coco/size': 3,
    }
    assert validation.class_ap == {'bbox': {'person': 0.25, 'toaster': None}}
    assert validation.settings['lr'] == 0.1
    assert validation.training.backbone == str(tmp_path / 'backbone.pth')
    result = read_work_dir(tmp_path / 'a')
    assert (result.evaluation.metrics['bbox_mAP'], result.evaluation.metrics['segm_mAP']) == (25.0, None)
    assert (result.evaluation.epoch, result.evaluation.run) == (2, 'validation')
    assert (result.pretraining.method, result.pretraining.top1) == ('AugLocalHead', 70.5)
    assert result.config.get('lr') == 0.1


def matched_scores(work_dir: Path) -> dict[str, float]:
    """The scores in the matches that the record of a work_dir names; they must be all that are there."""
    records = read_evaluations(work_dir)
    kept = {run: each.matches for run in ('validation', 'test') if (each := getattr(records, run)) and each.matches}
    assert {path.name for path in work_dir.glob('*.npz')} == {each.file for each in kept.values()}
    return {run: read_matches(work_dir, each)['bbox'].scores.item() for run, each in kept.items()}


def test_matches_of_the_last_validation_and_the_last_test_are_kept(run, tmp_path):
    run('a', [0.5, 0.25])
    assert matched_scores(tmp_path / 'a') == {'validation': 0.25}
    run('a', [0.125], load_from=tmp_path / 'a' / 'epoch_1.pth', test=True)
    assert matched_scores(tmp_path / 'a') == {'validation': 0.25, 'test': 0.125}
    run('a', [0.375], load_from=tmp_path / 'a' / 'epoch_1.pth')
    assert matched_scores(tmp_path / 'a') == {'validation': 0.375, 'test': 0.125}
    run('a', [None], load_from=tmp_path / 'a' / 'epoch_1.pth', test=True)
    assert matched_scores(tmp_path / 'a') == {'validation': 0.375}, 'nothing was detected in the test'
    run('a', [])
    assert matched_scores(tmp_path / 'a') == {}


def test_a_new_training_forgets_the_earlier_one_and_its_backbone(run, tmp_path):
    run('a', [0.5, 0.5, 0.5])
    first = read_evaluations(tmp_path / 'a').validation.training
    (tmp_path / 'backbone.json').write_text('{"method": "BP"}')
    (tmp_path / 'a' / 'pretraining.json').write_text('{"method": "of an earlier version"}')
    run('a', [0.125], lr=0.3)
    result = read_work_dir(tmp_path / 'a')
    assert (result.evaluation.epoch, result.evaluation.metrics['bbox_mAP']) == (1, 12.5)
    assert (result.pretraining.method, result.config.get('lr')) == ('BP', 0.3)
    assert read_evaluations(tmp_path / 'a').validation.training.id != first.id


def test_a_new_training_has_no_evaluation_before_its_first(run, tmp_path):
    run('a', [0.5])
    run('a', [])
    with pytest.raises(InputError, match=r'/a .*COCO.*tools/test\.py'):
        read_work_dir(tmp_path / 'a')


def test_a_resumed_training_is_the_same_and_keeps_the_record_of_its_backbone(run, tmp_path):
    run('a', [0.5])
    first = read_evaluations(tmp_path / 'a').validation.training
    (tmp_path / 'backbone.json').write_text('{"method": "exported since"}')
    (tmp_path / 'a').rename(tmp_path / 'b')
    run('b', [0.25], load_from=tmp_path / 'b' / 'epoch_1.pth')
    validation = read_evaluations(tmp_path / 'b').validation
    assert (validation.epoch, validation.training) == (2, first)
    assert read_work_dir(tmp_path / 'b').pretraining.method == 'AugLocalHead'


def test_a_training_resumed_in_another_ones_folder_does_not_have_its_evaluation(run, tmp_path):
    run('a', [0.5])
    run('b', [0.25])
    run('b', [], load_from=tmp_path / 'a' / 'epoch_1.pth')
    assert read_evaluations(tmp_path / 'b').validation is None


def test_a_test_run_replaces_no_validation_and_counts_where_there_is_none(run, tmp_path):
    run('a', [0.5, 0.25])
    run('a', [0.125], load_from=tmp_path / 'a' / 'epoch_1.pth', test=True)
    both = read_evaluations(tmp_path / 'a')
    assert both.test.metrics['coco/bbox_mAP'] == 0.125
    assert (both.test.class_ap['bbox']['person'], both.validation.class_ap['bbox']['person']) == (0.125, 0.25)
    assert both.test.training == both.validation.training
    assert read_work_dir(tmp_path / 'a').evaluation.metrics['bbox_mAP'] == 25.0
    run('tested', [0.125], load_from=tmp_path / 'a' / 'epoch_1.pth', test=True)
    tested = read_work_dir(tmp_path / 'tested')
    assert (tested.evaluation.run, tested.evaluation.epoch, tested.evaluation.iteration) == ('test', 1, 1)
    assert tested.pretraining.method == 'AugLocalHead'
    comparison = compare({'validated': [tmp_path / 'a'], 'tested': [tmp_path / 'tested']})
    assert list(comparison.settings_that_differ) == ['evaluation.epoch', 'evaluation.iteration', 'evaluation.run']


def test_a_tested_best_checkpoint_is_refused(run, tmp_path):
    run('a', [0.5])
    (best,) = (tmp_path / 'a').glob('best_*.pth')
    run('b', [0.5], load_from=best, test=True)
    with pytest.raises(InputError, match='best_coco_bbox_mAP_epoch_1'):
        read_work_dir(tmp_path / 'b')


def test_a_validation_that_finds_nothing_is_not_replaced_by_an_earlier_one(run, tmp_path):
    run('a', [None])
    with pytest.raises(InputError, match=r'evaluation\.json.*COCO'):
        read_work_dir(tmp_path / 'a')


def test_a_damaged_file_is_refused_before_a_test(run, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'evaluation.json').write_text('{"validation": ')
    with pytest.raises(InputError, match=r'evaluation\.json.*JSON'):
        run('a', [0.5], test=True)


def test_a_new_training_is_not_resumed_from_the_checkpoints_of_an_earlier_one(run, tmp_path):
    run('a', [0.5, 0.5])
    assert latest_checkpoint(str(tmp_path / 'a')) == str(tmp_path / 'a' / 'epoch_2.pth')
    run('a', [])  # ended before its first checkpoint
    assert latest_checkpoint(str(tmp_path / 'a')) is None
    run('a', [0.5])
    assert latest_checkpoint(str(tmp_path / 'a')) == str(tmp_path / 'a' / 'epoch_1.pth')


def test_a_copy_does_not_remove_the_best_checkpoint_of_the_original(run, tmp_path):
    run('a', [0.25])
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    run('b', [0.5], load_from=tmp_path / 'b' / 'epoch_1.pth')
    assert [path.name for path in (tmp_path / 'a').glob('best_*')] == ['best_coco_bbox_mAP_epoch_1.pth']
    assert [path.name for path in (tmp_path / 'b').glob('best_*')] == ['best_coco_bbox_mAP_epoch_2.pth']


def test_test_runs_are_of_the_seeds_that_their_checkpoints_were_trained_with(run, tmp_path):
    """The config of a test has a seed of its own, which says nothing of the weights."""
    for seed in (1, 2):
        run(f'trained{seed}', [0.5], randomness={'seed': seed})
        run(f'test{seed}', [0.5], tmp_path / f'trained{seed}' / 'epoch_1.pth', test=True, randomness={'seed': 0})
    tests = [tmp_path / f'test{seed}' for seed in (1, 2)]
    assert [read_work_dir(each).seed for each in tests] == [1, 2]
    compare({'AugLocal': tests, 'BP': [tmp_path / 'trained1']})


def test_a_detector_that_starts_from_another_has_not_the_weights_of_its_backbone_file(run, tmp_path):
    run('a', [0.5])
    start = str(tmp_path / 'a' / 'epoch_1.pth')
    run('b', [0.5, 0.25], Path(start), resume=False)
    run('b', [0.125], tmp_path / 'b' / 'epoch_2.pth')  # resumed: still from there
    pretraining = read_work_dir(tmp_path / 'b').pretraining
    assert (pretraining.checkpoint, pretraining.method) == (start, None)


def test_settings_that_are_changed_when_a_training_is_resumed_are_told(run, tmp_path):
    """The record has the settings of the last start alone, which may be those of another run."""
    run('a', [0.5], lr=0.1)
    run('a', [0.25], tmp_path / 'a' / 'epoch_1.pth', lr=0.2)
    run('a', [0.25, 0.25], tmp_path / 'a' / 'epoch_2.pth', lr=0.2, decay=0.1)
    run('b', [0.5], lr=0.2, decay=0.1)
    run('b', [0.25, 0.25], tmp_path / 'b' / 'epoch_1.pth', lr=0.2, decay=0.1)
    assert [read_work_dir(tmp_path / name).changed for name in 'ab'] == [['decay', 'lr'], ()]
    differing = compare({'AugLocal': [tmp_path / 'a'], 'BP': [tmp_path / 'b']}).settings_that_differ
    assert differing == {'changed when resumed': {str(tmp_path / 'a'): 'decay, lr', str(tmp_path / 'b'): 'none'}}
