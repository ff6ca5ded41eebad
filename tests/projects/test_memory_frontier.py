"""The project's tables and figures, from its results and from synthetic ones."""

import json
import shutil
import sys

import pytest
from tests_support import REPOSITORY, assert_error, tool

from auglocal_mm.analysis.filled_tables import table_names
from auglocal_mm.errors import InputError
from auglocal_mm.studies import read_study

sys.path.insert(0, str(REPOSITORY / 'projects/memory_frontier'))

import accuracy_report
import measure_plans
import readme_tables

PROJECT = 'projects/memory_frontier'


def test_the_tables_of_the_readmes_are_those_of_the_results():
    done = tool(f'{PROJECT}/readme_tables.py', '--check')
    assert done.returncode == 0, done.stderr
    for path in readme_tables.READMES:
        assert table_names(path.read_text())


def test_a_table_that_is_out_of_date_is_found_and_written(tmp_path, monkeypatch, capsys):
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- table: benchmark -->\nold\n<!-- end -->\nafter\n')
    monkeypatch.setattr(readme_tables, 'READMES', (readme,))
    with pytest.raises(SystemExit):
        readme_tables.main(['--check'])
    said = capsys.readouterr().err
    assert str(readme) in said and '--check' in said
    readme_tables.main([])
    text = readme.read_text()
    assert text.startswith('before\n<!-- table: benchmark -->\n|') and text.endswith('\n<!-- end -->\nafter\n')
    schemes = json.loads((REPOSITORY / PROJECT / 'results/benchmark_float32.json').read_text())['configs'][0]['schemes']
    (local,) = (scheme for scheme in schemes if scheme['name'] == 'AugLocal')
    ratio = local['median_ms'] / schemes[0]['median_ms']
    assert f'| AugLocal | {ratio:.2f}x, ' in text
    readme_tables.main(['--check'])


def test_an_unknown_table_is_refused(tmp_path, monkeypatch, capsys):
    readme = tmp_path / 'README.md'
    readme.write_text('<!-- table: nothing -->\n<!-- end -->\n')
    monkeypatch.setattr(readme_tables, 'READMES', (readme,))
    with pytest.raises(SystemExit):
        readme_tables.main([])
    said = capsys.readouterr().err
    assert 'nothing' in said and all(name in said for name in readme_tables.TABLES)


def test_the_accuracy_stands_beside_the_costs(tmp_path, capsys):
    study = read_study(REPOSITORY / PROJECT / 'accuracy.py')
    shutil.copy(REPOSITORY / PROJECT / 'results/accuracy_costs.json', tmp_path)
    runs = {run.column: run.name for run in study.runs if run.row == 'ResNet-34'}
    tops = {runs['BP']: [60.0], runs['K=2, d=2']: [62.0, 64.0]}
    records = {name: {str(i): {'accuracy': {'accuracy/top1': t}} for i, t in enumerate(v)} for name, v in tops.items()}
    records[runs['BP']]['0']['overrides'] = {'train_cfg.max_epochs': 7}
    (tmp_path / 'accuracy.json').write_text(json.dumps(records))
    accuracy_report.main(['--results', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '| ResNet-34 | BP | 60.0 (n=1) † | 1.00x | 1.00x | 1.00x |' in printed
    costs = json.loads((tmp_path / 'accuracy_costs.json').read_text())['runs']
    share = costs[runs['K=2, d=2']]['activations'] / costs[runs['BP']]['activations']
    assert f'| ResNet-34 | K=2, d=2 | 63.0 ± 1.4 (n=2) | {share:.2f}x |' in printed
    assert '† ' in printed and 'train_cfg.max_epochs=7' in printed
    assert '| ResNet-34 | layer-wise, d=5 | not run |' in printed
    assert (tmp_path / 'accuracy_report.png').stat().st_size > 5000


def test_results_that_were_changed_by_hand_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readme_tables, 'HERE', tmp_path)
    (tmp_path / 'results').mkdir()
    (tmp_path / 'results/plans.json').write_text('{"ResNet-34": [{"name": "BP", "note": "", "flops": "many"}]}')
    with pytest.raises(InputError) as caught:
        readme_tables.plans()
    assert all(word in str(caught.value) for word in ('plans.json', 'ResNet-34.0.flops', "'many'"))


def test_costs_are_measured_where_there_are_none(tmp_path, monkeypatch, capsys):
    study = read_study(REPOSITORY / PROJECT / 'accuracy.py')
    kept = [run for run in study.runs if run.name in ('resnet-34-bp', 'resnet-34-k=2-d=2')]
    small = {'train_dataloader.batch_size': 2, 'model.backbone.base_channels': 8}
    kept = [type(run)(run.row, run.column, run.config, {**run.options, **small}) for run in kept]
    monkeypatch.setattr(accuracy_report, 'read_study', lambda path: type(study)('s', 't', 'n', study.metrics, kept))
    accuracy_report.main(['--results', str(tmp_path), '--rounds', '1'])
    costs = json.loads((tmp_path / 'accuracy_costs.json').read_text())
    bp, local = (costs['runs'][run.name] for run in kept)
    assert costs['batch_size'] == 2
    assert local['activations'] < bp['activations'] and local['flops'] > bp['flops']
    written = (tmp_path / 'accuracy_costs.json').stat().st_mtime_ns
    accuracy_report.main(['--results', str(tmp_path)])
    assert (tmp_path / 'accuracy_costs.json').stat().st_mtime_ns == written


def test_damaged_results_are_refused(tmp_path):
    (tmp_path / 'accuracy_costs.json').write_text('{')
    assert_error(tool(f'{PROJECT}/accuracy_report.py', '--results', str(tmp_path)), 'accuracy_costs.json', 'JSON')


def test_earlier_plans_stay_and_each_network_is_written_when_it_is_measured(tmp_path, monkeypatch, capsys):
    entries = json.loads((REPOSITORY / PROJECT / 'results/plans.json').read_text())
    monkeypatch.setattr(measure_plans, 'measure_network', entries.__getitem__)
    measure_plans.main(['ResNet-50', '--out', str(tmp_path)])
    del entries['ResNet-101']
    with pytest.raises(KeyError):
        measure_plans.main(['ResNet-34', 'ResNet-101', '--out', str(tmp_path)])
    assert list(json.loads((tmp_path / 'plans.json').read_text())) == ['ResNet-34', 'ResNet-50']
    assert (tmp_path / 'plans.md').read_text().count('| AugLocal checkpointed |') == 2
    (tmp_path / 'plans.json').write_text('[')
    with pytest.raises(SystemExit):
        measure_plans.main(['ResNet-34', '--out', str(tmp_path)])
    assert f'{tmp_path}/plans.json' in capsys.readouterr().err
