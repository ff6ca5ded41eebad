import json

import pytest

from auglocal_mm.analysis.training_log import read_curves, read_log
from auglocal_mm.errors import InputError


def log(tmp_path, text: str):
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(text, errors='surrogateescape')
    return tmp_path


def test_the_last_line_of_a_run_that_was_killed_may_be_cut(tmp_path):
    lines = [json.dumps({'loss': 1.5, 'step': 1}), json.dumps({'loss': 1.0, 'step': 2}), '{"loss": 0.']
    assert read_curves(log(tmp_path, '\n'.join(lines))) == {'loss': [(1, 1.5), (2, 1.0)]}


@pytest.mark.parametrize(
    ('line', 'named'),
    [
        ('5', '5'),
        ('{"loss": 1.0}', 'step'),
        ('{"loss": 1.0, "step": "x"}', "step.*'x'"),
        ('{"loss"', 'JSON'),
        ('\udcff\udcfe', 'JSON'),
    ],
)
def test_other_damage_is_named(line, named, tmp_path):
    with pytest.raises(InputError, match=rf'line 1 .*scalars\.json.*{named}'):
        read_curves(log(tmp_path, f'{line}\n'))


@pytest.mark.parametrize('value', ['"0.5"', 'true', 'null', '[0.5]'])
def test_a_value_that_is_not_a_number_is_named(tmp_path, value):
    with pytest.raises(InputError, match=r'loss\b.*scalars\.json'):
        read_curves(log(tmp_path, f'{{"loss": {value}, "step": 1}}\n'))


@pytest.mark.parametrize('value', ['NaN', '-1.0', '100.5'])
def test_an_accuracy_that_is_no_percentage_is_named(tmp_path, value):
    with pytest.raises(InputError, match=r'accuracy/top1\b.*scalars\.json'):
        read_curves(log(tmp_path, f'{{"accuracy/top1": {value}, "data_time": 0.1, "step": 1}}\n'))


def test_the_times_of_validations_are_not_those_of_iterations(tmp_path):
    """Both are called ``time``, and the first epoch has the step of the first iteration."""
    training = {'time': 0.5, 'data_time': 0.1, 'loss': 2.0, 'epoch': 1, 'iter': 1, 'step': 1}
    validation = {'time': 9.0, 'data_time': 8.0, 'accuracy/top1': 50.0, 'step': 1}
    work_dir = log(tmp_path, f'{json.dumps(training)}\n{json.dumps(validation)}\n')
    found = read_log(work_dir)
    assert found.training == {'time': [(1, 0.5)], 'data_time': [(1, 0.1)], 'loss': [(1, 2.0)]}
    assert found.validation == {'time': [(1, 9.0)], 'data_time': [(1, 8.0)], 'accuracy/top1': [(1, 50.0)]}
    assert found.newest == tmp_path / '20260101_000000'
    assert read_curves(work_dir) == {**found.training, 'accuracy/top1': [(1, 50.0)]}


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(InputError, match=rf'{tmp_path.name} has no log'):
        read_curves(tmp_path)
