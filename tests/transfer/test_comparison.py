import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from tests_models import ToyDetector
from torch.utils.data import DataLoader

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.comparison import Statistic, compare
from auglocal_mm.transfer.transfer_result import read_work_dir

MakeWorkDir = Callable[..., Path]
Validation = Callable[..., dict[str, Any]]


def test_statistic_by_hand() -> None:
    """Mean 4; squared distances 4 + 0 + 4, divided by n - 1 = 2, give 4, the square of 2."""
    assert Statistic.of([2.0, 4.0, 6.0]) == Statistic(4.0, 2.0, 3)
    assert Statistic.of([38.2]) == Statistic(38.2, None, 1)


def test_value_missing_in_one_run_leaves_no_mean() -> None:
    assert Statistic.of([2.0, None]) == Statistic(None, None, 2)


def test_statistics_and_differences_over_seeds(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    groups = {
        name: [
            make_work_dir(f'{name}{seed}', {'t': [validation(12, box, mask)]}, seed=seed, checkpoint=f'{name}.pth')
            for seed, (box, mask) in enumerate(values)
        ]
        for name, values in {'BP': [(0.40, 0.30), (0.42, 0.34)], 'AugLocal': [(0.38, 0.36), (0.40, 0.38)]}.items()
    }
    comparison = compare(groups)
    assert comparison.control == 'BP'
    assert comparison.statistics['BP']['bbox_mAP'].mean == pytest.approx(41.0)
    assert comparison.statistics['BP']['bbox_mAP'].std == pytest.approx(2**0.5)
    assert comparison.statistics['BP']['segm_mAP_50'].mean == pytest.approx(52.0)
    assert comparison.statistics['BP']['segm_mAP_50'].std == pytest.approx(8**0.5)
    assert comparison.statistics['BP']['bbox_mAP'].n == 2
    assert comparison.differences['AugLocal']['bbox_mAP'] == pytest.approx(-2.0)
    assert comparison.differences['AugLocal']['segm_mAP_l'] == pytest.approx(5.0)
    assert comparison.differences['BP']['bbox_mAP'] == 0.0
    assert comparison.settings_that_differ == {}


def test_minus_one_is_neither_averaged_nor_subtracted(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    lines = [validation(12, bbox_mAP_s=-1.0)]
    groups = {'BP': [make_work_dir('a'), make_work_dir('b', {'t': lines})], 'AugLocal': [make_work_dir('c')]}
    comparison = compare(groups)
    assert comparison.statistics['BP']['bbox_mAP_s'] == Statistic(None, None, 2)
    assert comparison.differences['AugLocal']['bbox_mAP_s'] is None
    assert comparison.differences['AugLocal']['bbox_mAP_m'] == 0.0


def test_settings_and_epochs_that_differ_are_named(
    make_work_dir: MakeWorkDir, validation: Validation, config_text: str
) -> None:
    control, other = make_work_dir('bp'), config_text.replace('lr=0.02', 'lr=0.04')
    shorter = make_work_dir('auglocal', {'t': [validation(10)]}, config=other)
    assert compare({'BP': [control], 'AugLocal': [shorter]}).settings_that_differ == {
        'evaluation.epoch': {str(control): 12, str(shorter): 10},
        'optim_wrapper.optimizer.lr': {str(control): 0.02, str(shorter): 0.04},
    }


def test_differing_seeds_of_the_control_are_named(make_work_dir: MakeWorkDir, config_text: str) -> None:
    other = config_text.replace('depth=34', 'depth=50')
    groups = {'BP': [make_work_dir('a'), make_work_dir('b', config=other)], 'AugLocal': [make_work_dir('c')]}
    assert list(compare(groups).settings_that_differ) == ['model.backbone.depth']


def test_validation_against_test_run_is_named(
    make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir, validation: Validation
) -> None:
    tested = make_work_dir('tested', {'20250101_000000': []})
    add_test_run(tested, '20250202_000000', validation(0), 'somewhere/epoch_12.pth')
    comparison = compare({'BP': [make_work_dir('bp')], 'AugLocal': [tested]})
    assert list(comparison.settings_that_differ) == ['evaluation.run']


@pytest.mark.parametrize(('checkpoint', 'epoch'), [('w/epoch_11.pth', 11), ('w/published.pth', None), (None, None)])
def test_epoch_of_a_test_run(
    make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir, validation: Validation, checkpoint: str, epoch: int
) -> None:
    work_dir = make_work_dir('bp', {'20250101_000000': []})
    add_test_run(work_dir, '20250202_000000', validation(0), checkpoint)
    assert read_work_dir(work_dir).evaluation.epoch == epoch


def test_tested_best_checkpoint_is_refused(
    make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir, validation: Validation
) -> None:
    work_dir = make_work_dir('bp', {'20250101_000000': []})
    add_test_run(work_dir, '20250202_000000', validation(0), 'w/best_coco_bbox_mAP_epoch_9.pth')
    with pytest.raises(InputError, match='best_coco_bbox_mAP_epoch_9'):
        read_work_dir(work_dir)


def test_config_of_the_training_counts_where_its_validation_does(
    make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir, validation: Validation
) -> None:
    """A later test run with other settings overwrites the config in the work_dir."""
    work_dir = make_work_dir('bp')
    add_test_run(work_dir, '20250202_000000', validation(0), 'epoch_12.pth')
    (work_dir / 'mask-rcnn.py').write_text('model = dict(test_cfg=dict(score_thr=0.9))\n')
    assert read_work_dir(work_dir).config.get('model.backbone.depth') == 34


def test_missing_work_dir(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path / 'no_such'))):
        read_work_dir(tmp_path / 'no_such')


def test_one_name_is_nothing_to_compare(make_work_dir: MakeWorkDir) -> None:
    with pytest.raises(InputError, match=r'\b1\b.*BP.*\b2\b'):
        compare({'BP': [make_work_dir('bp')]})


def test_name_without_work_dir(make_work_dir: MakeWorkDir) -> None:
    with pytest.raises(InputError, match=r'AugLocal\b.*\bwork_dir'):
        compare({'BP': [make_work_dir('bp')], 'AugLocal': []})


def test_one_run_cannot_count_twice(make_work_dir: MakeWorkDir) -> None:
    work_dir = make_work_dir('bp')
    with pytest.raises(InputError, match=re.escape(str(work_dir / '..' / 'bp'))):
        compare({'BP': [work_dir, work_dir / '..' / 'bp'], 'AugLocal': [make_work_dir('auglocal')]})


class RisingMetric(BaseMetric):
    """Box AP 0.1 after the first validation, 0.2 after the second."""

    default_prefix = 'coco'
    validations = 0

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(1)

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        self.validations += 1
        return {'bbox_mAP': 0.1 * self.validations}


def test_work_dir_of_a_real_runner(tmp_path: Path) -> None:
    backbone = {'type': 'ResNet', 'init_cfg': {'type': 'Pretrained', 'checkpoint': 'backbone.pth'}}
    runner = Runner(
        model=ToyDetector(),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader([{'inputs': 1.0}]),
        train_cfg={'by_epoch': True, 'max_epochs': 2},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        val_dataloader=DataLoader([{'inputs': 1.0}]),
        val_cfg={},
        val_evaluator=[RisingMetric()],
        default_hooks={'logger': {'type': 'LoggerHook', 'interval': 1}},
        cfg=Config({'model': {'backbone': backbone}}),
        experiment_name='test_work_dir_of_a_real_runner',
    )
    runner.train()
    result = read_work_dir(tmp_path)
    assert (result.evaluation.epoch, result.evaluation.metrics['bbox_mAP']) == (2, 20.0)
    assert result.pretraining.checkpoint == 'backbone.pth'
