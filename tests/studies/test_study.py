import json

import pytest
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError
from auglocal_mm.studies import read_results, read_study

RUN = "dict(row='a', column='b', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py'"


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        ('', 'JSON'),
        ('{', 'JSON'),
        ('[]', r'\[\]'),
        ('null', 'None'),
        ('5', '5'),
        ('{"r": []}', r'r .*\[\]'),
        ('{"r": null}', 'r .*None'),
        ('{"r": {"0": null}}', 'r.0 .*None'),
        ('{"r": {"0": {}}}', 'r.0.accuracy '),
        ('{"r": {"0": {"accuracy": 5}}}', 'r.0.accuracy .*5'),
        ('{"r": {"0": {"accuracy": {"top1": "abc"}}}}', "r.0.accuracy.top1 .*'abc'"),
        ('{"r": {"0": {"accuracy": {"top1": NaN}}}}', 'r.0.accuracy.top1 .*nan'),
        ('{"r": {"0": {"accuracy": {"top1": 100.5}}}}', 'r.0.accuracy.top1 .*100.5'),
        ('{"r": {"0": {"accuracy": {"top1": -1}}}}', 'r.0.accuracy.top1 .*-1'),
        ('{"r": {"0": {"accuracy": {"top1": true}}}}', 'r.0.accuracy.top1 .*True'),
        ('{"r": {"0": {"accuracy": {}, "overrides": 5}}}', 'r.0.overrides .*5'),
        ('{"r": {"0": {"accuracy": {}, "options": null}}}', 'r.0.options .*None'),
        ('{"r": {"0": {"accuracy": {}, "overrides": {"lr": Infinity}}}}', 'r.0.overrides.lr .*inf'),
        ('{"r": {"zero": {"accuracy": {}}}}', 'r.zero'),
        ('{"r": {"0": {"accuracy": {}}, "0": {"accuracy": {}}}}', "'0'"),
        ('{"r": ' * 10**5, 'JSON'),
    ],
    ids=lambda text: text[:40],
)
def test_damaged_results_are_refused(content, named, tmp_path):
    (tmp_path / 'r.json').write_text(content)
    with pytest.raises(InputError, match=rf'r\.json.*{named}'):
        read_results(tmp_path / 'r.json')


@pytest.mark.parametrize('name', ['memory_frontier/results/accuracy', 'paper_tables/results/cifar10_short'])
def test_the_results_of_the_repository_are_read_as_they_are(name):
    path = REPOSITORY / f'projects/{name}.json'
    assert read_results(path) == json.loads(path.read_text())


def test_results_as_they_are_written_are_read(tmp_path):
    results = {'r': {'0': {'accuracy': {'accuracy/top1': 50.5}, 'overrides': {}}}}
    (tmp_path / 'r.json').write_text(json.dumps(results))
    assert read_results(tmp_path / 'r.json') == results
    assert read_results(tmp_path / 'none.json') == {}


@pytest.mark.parametrize(
    ('runs', 'named'),
    [
        ('5', r'row .*runs\[0\]'),
        ('[]', r'row .*runs\[0\]'),
        (f"[{RUN}), dict(column='b')]", r'row .*runs\[1\]'),
        (f"[{RUN}, paper=dict(top1='high'))]", r"runs\[0\]\.paper\.top1.*'high'"),
        ('[', 'SyntaxError'),
        (f'[{RUN}), {RUN})]', r'\ba-b\b'),
    ],
)
def test_studies_that_say_too_little_are_refused(runs, named, tmp_path):
    (tmp_path / 's.py').write_text(f"title = 't'\nruns = {runs}\n")
    with pytest.raises(InputError, match=named) as error:
        read_study(tmp_path / 's.py')
    assert str(tmp_path / 's.py') in str(error.value)
