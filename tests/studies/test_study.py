import json

import pytest
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError
from auglocal_mm.studies import read_results, read_study

RUN = "dict(row='a', column='b', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py'"


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ('', 'is not valid JSON'),
        ('{', 'is not valid JSON'),
        ('[]', 'the content is'),
        ('null', 'the content is None'),
        ('5', 'the content is 5'),
        ('{"r": []}', 'r is'),
        ('{"r": null}', 'r is None'),
        ('{"r": {"0": null}}', 'r.0 is None'),
        ('{"r": {"0": {}}}', 'r.0.accuracy is missing'),
        ('{"r": {"0": {"accuracy": 5}}}', 'r.0.accuracy is 5'),
        ('{"r": {"0": {"accuracy": {"top1": "abc"}}}}', "r.0.accuracy.top1 is 'abc'"),
        ('{"r": {"0": {"accuracy": {"top1": NaN}}}}', 'r.0.accuracy.top1 is nan'),
        ('{"r": {"0": {"accuracy": {"top1": 100.5}}}}', 'r.0.accuracy.top1 is 100.5'),
        ('{"r": {"0": {"accuracy": {"top1": -1}}}}', 'r.0.accuracy.top1 is -1'),
        ('{"r": {"0": {"accuracy": {"top1": true}}}}', 'r.0.accuracy.top1 is True'),
        ('{"r": {"0": {"accuracy": {}, "overrides": 5}}}', 'r.0.overrides is 5'),
        ('{"r": {"0": {"accuracy": {}, "options": null}}}', 'r.0.options is None'),
        ('{"r": {"0": {"accuracy": {}, "overrides": {"lr": Infinity}}}}', 'r.0.overrides.lr is inf'),
        ('{"r": {"zero": {"accuracy": {}}}}', 'r.zero'),
        ('{"r": {"0": {"accuracy": {}}, "0": {"accuracy": {}}}}', "the key '0' twice"),
        ('{"r": ' * 10**5, 'is not valid JSON'),
    ],
    ids=lambda text: text[:40],
)
def test_damaged_results_are_refused(content, said, tmp_path):
    (tmp_path / 'r.json').write_text(content)
    with pytest.raises(InputError, match=rf'r\.json.*{said}.*restore it'):
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
