from pathlib import Path

from tests_pretrainings import backpropagation, curves, pretraining

from auglocal_mm.analysis.training_log import TrainingLog
from auglocal_mm.pretraining_report.result_tables import fact_tables, module_table, result_table, settings_table
from auglocal_mm.weights.backbone_record import BackboneRecord


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line[1:-1].split('|')] for line in table.splitlines() if '---' not in line]


def test_one_run_has_one_table_of_facts():
    (table,) = map(rows, fact_tables([pretraining()]))
    assert table[0] == ['', 'AugLocal']
    assert ['seed', '3'] in table and len(table) == 23


def test_facts_that_differ_stand_apart_from_those_that_do_not():
    different, equal = map(rows, fact_tables([backpropagation(), pretraining()]))
    assert different[:3] == [['', 'BP', 'AugLocal'], ['method', 'BP', 'AugLocalHead'], ['local modules K', '1', '3']]
    assert equal[:2] == [['', 'all runs'], ['network', 'ResNet-34']]
    names = [row[0] for row in different[1:] + equal[1:]]
    assert sorted(names) == sorted(row[0] for row in rows(fact_tables([pretraining()])[0])[1:])


def test_equal_runs_have_nothing_that_differs():
    (table,) = map(rows, fact_tables([pretraining('a'), pretraining('b')]))
    assert table[0] == ['', 'all runs']


def test_what_is_not_recorded_is_said():
    older, newer = pretraining('older', record=BackboneRecord()), pretraining('newer')
    different, _ = map(rows, fact_tables([older, newer]))
    assert ['commit', 'not recorded', '0123abcd, changed'] in different


def test_results():
    assert rows(result_table([backpropagation(), pretraining()])) == [
        ['', 'top-1', 'best top-1', 'top-5', 'best top-5', 'time (h:min:s)', 'peak memory'],
        ['BP', '55.50', '55.50 (epoch 2)', 'not recorded', 'not recorded', '1:02:05', '1.50 GiB allocated'],
        ['AugLocal', '60.25', '61.50 (epoch 1)', '91.00', '91.00 (epoch 2)', '1:02:05', '1.50 GiB allocated'],
    ]


def test_validations_by_iteration():
    run = pretraining(default_hooks={'logger': {'log_metric_by_epoch': False}})
    assert '61.50 (iteration 1)' in result_table([run])


def test_validations_that_all_have_the_same_step_have_no_best():
    """MMEngine logs those of a training by iterations under epoch 0, unless log_metric_by_epoch is False."""
    log = TrainingLog(curves(), {'accuracy/top1': [(0, 60.0)]}, [Path('work_dir/1')])
    assert rows(result_table([pretraining(log=log)]))[1][1:3] == ['60.00', 'not recorded']


def test_modules():
    assert rows(module_table(pretraining())) == [
        ['', 'local module', 'loss', 'accuracy (%)'],
        ['1', 'stem', '2.0000', '52.00'],
        ['2', 'layer1.0-layer1.2', '3.0000', '53.00'],
        ['3', 'layer2.0', '4.0000', '54.00'],
    ]
    training = {**curves(), 'local/stem/grad_norm': [(20, 0.125)]}
    with_norms = rows(module_table(pretraining(log=TrainingLog(training, {}, [Path('work_dir/1')]))))
    assert [row[-1] for row in with_norms] == ['gradient norm', '0.125', 'not recorded', 'not recorded']


def test_settings_that_differ():
    other = pretraining('b', train_cfg={'by_epoch': True, 'max_epochs': 9}, randomness={'seed': 8})
    assert rows(settings_table([pretraining('a'), other])) == [['', 'a', 'b'], ['train_cfg.max_epochs', '2', '9']]
    assert settings_table([pretraining('a'), pretraining('b')]) is None
