import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_log import METRICS, last_evaluation, logged_validations

MakeWorkDir = Callable[..., Path]
Validation = Callable[..., dict[str, Any]]


def test_points_of_all_twelve_metrics(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    evaluation = last_evaluation(make_work_dir('bp', {'t': [validation(12, box=0.382, mask=0.347)]}))
    assert list(evaluation.metrics) == list(METRICS)
    assert list(evaluation.metrics.values()) == [38.2, 58.2, 48.2, 28.2, 38.2, 48.2, 34.7, 54.7, 44.7, 24.7, 34.7, 44.7]


def test_last_not_best(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    evaluation = last_evaluation(make_work_dir('bp', {'t': [validation(11, box=0.5), validation(12, box=0.4)]}))
    assert (evaluation.epoch, evaluation.metrics['bbox_mAP'], evaluation.run) == (12, 40.0, 'validation')


def test_resumed_run_takes_the_highest_epoch_and_of_equals_the_newest(
    make_work_dir: MakeWorkDir, validation: Validation
) -> None:
    logs = {
        '20250101_000000': [validation(11, box=0.1), validation(12, box=0.2)],
        '20250102_000000': [validation(12, box=0.3), validation(12, box=0.4)],
        '20250103_000000': [validation(11, box=0.5)],
    }
    evaluation = last_evaluation(make_work_dir('bp', logs))
    assert (evaluation.epoch, evaluation.metrics['bbox_mAP']) == (12, 40.0)
    assert evaluation.source.parts[-3:] == ('20250102_000000', 'vis_data', 'scalars.json')


def test_all_validations_by_step_and_of_a_step_the_later_one(
    make_work_dir: MakeWorkDir, validation: Validation
) -> None:
    """A validation without any detection has no AP."""
    logs = {
        '20250101_000000': [{'data_time': 0.1, 'step': 1}, validation(2, box=0.2), validation(3, box=0.3)],
        '20250102_000000': [validation(3, box=0.4), validation(4, box=0.5)],
    }
    found = logged_validations(make_work_dir('bp', logs))
    assert [(step, metrics['bbox_mAP']) for step, metrics in found.items()] == [(2, 20.0), (3, 40.0), (4, 50.0)]
    assert [*found[2]] == list(METRICS)


def test_two_trainings_in_one_folder_are_never_mixed(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    """Also where the clock went back, so that the folder of the newer one looks older."""
    logs = {'20250101_000000': [validation(12, box=0.1)], '20250102_000000': [validation(3, box=0.5)]}
    with pytest.raises(InputError, match=r'twice.*\b2\b.*20250101_000000.*20250102_000000'):
        last_evaluation(make_work_dir('twice', logs, resume=False))


def test_a_start_without_validations_is_not_chosen(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    logs = {'20250101_000000': [], '20250102_000000': [validation(12, box=0.5)]}
    assert last_evaluation(make_work_dir('again', logs, resume=False)).metrics['bbox_mAP'] == 50.0
    logs = {'20250101_000000': [validation(12)], '20250102_000000': []}  # anew, and not yet validated
    with pytest.raises(InputError, match=r'begun.*\b2\b.*20250101_000000.*20250102_000000'):
        last_evaluation(make_work_dir('begun', logs, resume=False))


def test_steps_of_training_lines_are_not_epochs(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    """The training line of the fake is step 50: an iteration, later than any epoch."""
    assert last_evaluation(make_work_dir('bp', {'t': [validation(12)]})).epoch == 12


def test_newest_test_run_only_without_validation(
    make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir, validation: Validation
) -> None:
    validated, tested = make_work_dir('validated'), make_work_dir('tested', {'20250101_000000': []})
    for work_dir in (validated, tested):
        add_test_run(work_dir, '20250202_000000', validation(0, box=0.1), None)
        newest = add_test_run(work_dir, '20250203_000000', validation(0, box=0.25), None)
        (newest.parent / 'predictions.segm.json').write_text('[]')
    evaluation = last_evaluation(tested)
    assert (evaluation.run, evaluation.epoch, evaluation.source) == ('test', None, newest)
    assert evaluation.metrics['bbox_mAP'] == 25.0
    assert last_evaluation(validated).run == 'validation'


def test_minus_one_and_unmeasured_are_not_available(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    line = {key: value for key, value in validation(12, bbox_mAP_s=-1.0).items() if 'segm' not in key}
    metrics = last_evaluation(make_work_dir('bp', {'t': [line]})).metrics
    assert metrics['bbox_mAP_s'] is None
    assert metrics['segm_mAP'] is None
    assert metrics['bbox_mAP'] == 30.0


def test_zero_is_a_value(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    assert last_evaluation(make_work_dir('bp', {'t': [validation(12, bbox_mAP=0.0)]})).metrics['bbox_mAP'] == 0.0


def test_truncated_last_line_is_skipped(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    work_dir = make_work_dir('bp', {'t': [validation(11)]})
    with open(work_dir / 't' / 'vis_data' / 'scalars.json', 'a') as file:
        file.write(json.dumps(validation(12))[:40])
    assert last_evaluation(work_dir).epoch == 11


def test_broken_line_amid_others_is_refused(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    work_dir = make_work_dir('bp', {'t': [validation(11)]})
    with open(work_dir / 't' / 'vis_data' / 'scalars.json', 'a') as file:
        file.write('{"coco/bb\n' + json.dumps(validation(12)) + '\n')
    with pytest.raises(InputError, match=r'line 3 .*scalars\.json'):
        last_evaluation(work_dir)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), 38.2, -0.5, 'high', True, None])
def test_metric_that_is_not_a_number_from_0_to_1_is_refused(
    make_work_dir: MakeWorkDir, value: object, validation: Validation
) -> None:
    work_dir = make_work_dir('bp', {'t': [validation(12) | {'coco/segm_mAP': value}]})
    with pytest.raises(InputError, match=rf'segm_mAP.*{value}.*scalars\.json'):
        last_evaluation(work_dir)


def test_nan_of_one_category_does_not_matter(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    """mmdet logs NaN for a category without objects when it evaluates per category."""
    line = validation(12) | {'coco/toaster_precision': float('nan')}
    assert last_evaluation(make_work_dir('bp', {'t': [line]})).epoch == 12


def test_last_validation_without_detections_is_not_replaced_by_an_earlier_one(
    make_work_dir: MakeWorkDir, validation: Validation
) -> None:
    empty = {'data_time': 0.1, 'time': 0.2, 'step': 12}
    with pytest.raises(InputError, match=r'scalars\.json.*COCO'):
        last_evaluation(make_work_dir('bp', {'t': [validation(11), empty]}))


def test_without_any_evaluation_says_what_to_do(make_work_dir: MakeWorkDir) -> None:
    with pytest.raises(InputError, match=r'/bp .*tools/test\.py.*--work-dir'):
        last_evaluation(make_work_dir('bp', {'t': []}))


def test_test_run_without_coco_metrics_says_what_to_do(make_work_dir: MakeWorkDir, add_test_run: MakeWorkDir) -> None:
    work_dir = make_work_dir('bp', {'20250101_000000': []})
    add_test_run(work_dir, '20250202_000000', {'pascal_voc/mAP': 0.5}, None)
    with pytest.raises(InputError, match=r'20250202_000000\.json.*COCO.*tools/test\.py'):
        last_evaluation(work_dir)
