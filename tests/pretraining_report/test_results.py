from dataclasses import replace
from pathlib import Path

from tests_pretrainings import MODULES, backpropagation, curves, pretraining

from auglocal_mm.analysis.training_log import TrainingLog
from auglocal_mm.pretraining_report.results import (
    Validations,
    final_values,
    metrics,
    module_curves,
    outcome,
    validations,
)


def test_the_last_validation_is_not_the_best():
    assert validations(pretraining(), 'accuracy/top1') == Validations(60.25, 61.5, 1)
    assert validations(pretraining(), 'accuracy/top5') == Validations(91.0, 91.0, 2)
    assert validations(backpropagation(), 'accuracy/top5') is None
    assert outcome(pretraining()) == 'Its top-1 accuracy on the validation set is 60.25\N{NO-BREAK SPACE}%.'
    assert (
        outcome(pretraining(finished=False))
        == 'Its top-1 accuracy on the validation set is 60.25\N{NO-BREAK SPACE}% so far.'
    )
    assert outcome(pretraining(record=pretraining().record.model_copy(update={'num_validation_images': 400}))) == (
        'Its top-1 accuracy on the validation set is 60.25\N{NO-BREAK SPACE}%, '
        'with a 95 % interval of 55.38 to 64.93 over 400 validation images.'
    )


def test_of_equals_the_earliest_is_the_best():
    log = TrainingLog({}, {'accuracy/top1': [(1, 40.0), (2, 60.0), (3, 60.0)]}, [Path('work_dir/1')])
    assert validations(pretraining(log=log), 'accuracy/top1').best_step == 2


def test_a_run_that_is_not_validated_yet():
    run = pretraining(log=TrainingLog(curves(), {}, [Path('work_dir/1')]), finished=False)
    assert validations(run, 'accuracy/top1') is None
    assert outcome(run) == 'There is no top-1 accuracy yet.'
    assert outcome(replace(run, finished=True)) == 'There is no top-1 accuracy.'
    assert metrics([run]) == {}


def test_metrics_of_all_runs():
    assert metrics([backpropagation(), pretraining()]) == {'accuracy/top1': 'top-1', 'accuracy/top5': 'top-5'}


def test_curves_and_last_values_of_every_module():
    run = pretraining()
    assert list(module_curves(run, 'loss')) == list(MODULES)
    assert module_curves(run, 'loss')['layer2.0'] == [(5, 5.5), (10, 5.0), (15, 4.5), (20, 4.0)]
    assert final_values(run)['stem'] == {'loss': 2.0, 'accuracy': 52.0}
    assert final_values(run)['layer2.0'] == {'loss': 4.0, 'accuracy': 54.0}


def test_backpropagation_is_one_module():
    assert final_values(backpropagation()) == {'whole network': {'loss': 1.5, 'accuracy': 75.0}}


def test_gradient_norms_where_they_are_logged():
    training = {**curves(), 'local/stem/grad_norm': [(20, 0.125)]}
    run = pretraining(log=TrainingLog(training, {}, [Path('work_dir/1')]))
    assert final_values(run)['stem']['grad_norm'] == 0.125
    assert 'grad_norm' not in final_values(run)['layer2.0']
