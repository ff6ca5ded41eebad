import json

import pytest

from auglocal_mm.analysis.training_log import read_curves
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
