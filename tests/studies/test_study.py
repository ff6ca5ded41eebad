import json

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.studies import read_object, read_results, read_study

RUN = "dict(row='a', column='b', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py'"


@pytest.mark.parametrize(
    'content',
    [
        *('{', '[]', 'null', '5', '{"r": []}', '{"r": null}', '{"r": {"0": null}}', '{"r": {"0": {"accuracy": 5}}}'),
        *('{"r": {"0": {"accuracy": {"top1": "abc"}}}}', '{"r": {"0": {"accuracy": {"top1": NaN}}}}'),
    ],
)
def test_damaged_results_are_refused(content, tmp_path):
    (tmp_path / 'r.json').write_text(content)
    with pytest.raises(InputError, match=r'r\.json (is no JSON|holds)'):
        read_results(tmp_path / 'r.json')


def test_results_as_they_are_written_are_read(tmp_path):
    results = {'r': {'0': {'accuracy': {'accuracy/top1': 50.5}, 'overrides': {}}}}
    (tmp_path / 'r.json').write_text(json.dumps(results))
    assert read_results(tmp_path / 'r.json') == read_object(tmp_path / 'r.json') == results
    assert read_results(tmp_path / 'none.json') == {}


@pytest.mark.parametrize(
    ('runs', 'words'),
    [
        ('5', r'has no row in runs\[0\]'),
        ('[]', r'has no row in runs\[0\]'),
        (f"[{RUN}), dict(column='b')]", r'has no row in runs\[1\]'),
        (f"[{RUN}, paper=dict(top1='high'))]", r'has a paper in runs\[0\] that is no number'),
        ('[', 'cannot be read'),
        (f'[{RUN}), {RUN})]', 'has two runs a-b'),
    ],
)
def test_studies_that_say_too_little_are_refused(runs, words, tmp_path):
    (tmp_path / 's.py').write_text(f"title = 't'\nruns = {runs}\n")
    with pytest.raises(InputError, match=words):
        read_study(tmp_path / 's.py')
