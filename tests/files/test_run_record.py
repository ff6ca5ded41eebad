import math

import pytest
import torch
from mmengine.config import Config
from tests_support import REPOSITORY

from auglocal_mm.files.run_record import may_overwrite, plain, read_record

CONFIGS = sorted(path for path in (REPOSITORY / 'configs').rglob('*.py') if '_base_' not in path.parts)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_the_dump_of_every_config_is_read_as_the_config(path, tmp_path):
    config = Config.fromfile(path)
    text = Config(config.to_dict(), format_python_code=False).pretty_text  # the same values, in a tenth of the time
    (tmp_path / 'config.py').write_text(text)
    assert read_record(tmp_path / 'config.py') == config.to_dict()


ODD = {
    'numbers': [-1, 1e-5, -2.5, True, None, float('inf'), -float('inf'), 10**30],
    'words': 'it\'s "quoted"\nwith a line',
    'names': {'features.0.0': 1, 3: (), 'plain': [(), [[]], {}]},
    'one': (1,),
    'empty': {},
    'layer': torch.nn.ReLU,
    'builtin': int,
}


@pytest.mark.parametrize('suffix', ['py', 'json', 'yaml'])
def test_odd_values_are_read_as_they_were_dumped(suffix, tmp_path):
    config = Config(ODD if suffix == 'py' else {**ODD, 'layer': None, 'builtin': None})
    path = tmp_path / f'config.{suffix}'
    config.dump(path)
    assert plain(read_record(path)) == plain(config.to_dict())
    assert may_overwrite(path)


def test_nan_is_read(tmp_path):
    (tmp_path / 'c.py').write_text('value = nan\n')
    assert math.isnan(read_record(tmp_path / 'c.py')['value'])


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        "x = __import__('os').system('touch marker')",
        "x = open('marker', 'w')",
        'x = [y for y in range(3)]',
        'x = 1 + 1',
        'x = y',
        'x = data[0]',
        'x = f().name',
        'x = dict(1)',
        'x = dict(**{})',
        'x = {**{}}',
        'x = {[]: 1}',
        "x = f'{1}'",
        "x = b'1'",
        'x = ...',
        'x = -"a"',
        'x, y = 1, 2',
        'x = y = 1',
        'x += 1',
        'x: int = 1',
        'while True: pass',
        "_base_ = 'a.py'",
        'x = (',
        '\0',
        f'x = {"[" * 10**6}',
        f'x = a{".b" * 10**5}',
        f'x = 1{"+1" * 10**5}',
        f'x = {"-" * 10**5}1',
        f'x = {"9" * 5000}',
        f'x = "{"a" * 2**20}"',
        '\ud800',
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_anything_else_is_not_a_record_and_is_not_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').write_text(text, errors='surrogatepass')
    assert read_record(tmp_path / 'c.py') is None
    assert not may_overwrite(tmp_path / 'c.py')
    assert not (tmp_path / 'marker').exists()


@pytest.mark.parametrize(
    'text',
    [
        '[',
        '[1]',
        '["a"]' * 2,
        '[' * 10**4,
        'a: &a [1]\nb: *a',
        'a: !!python/object/apply:os.getcwd []',
        '_base_: a.yaml',
    ],
    ids=lambda text: text[:20],
)
@pytest.mark.parametrize('suffix', ['json', 'yaml'])
def test_other_json_and_yaml_files_are_not_records(text, suffix, tmp_path):
    (tmp_path / f'c.{suffix}').write_text(text)
    assert read_record(tmp_path / f'c.{suffix}') is None
