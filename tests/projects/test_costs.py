"""The costs of the paper's trainings, which need no data."""

import json
import sys
from argparse import Namespace

import pytest
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

import cost_tables
import imagenet_memory

PROJECT = 'projects/paper_tables'


def test_costs_are_computed_without_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost_tables, 'PYRAMID', {6: (0.90, 0.95)})
    monkeypatch.setattr(cost_tables, 'DECAYS', (1.0, 0.9))
    monkeypatch.setattr(cost_tables, 'METHODS', {name: cost_tables.METHODS[name] for name in ('BP', 'd=2')})
    cost_tables.main(['--out', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '| d=2 | 0.63 (0.63) | not run (1.71) | not run (+87.2 %) |' in printed
    assert '| d=6 | 0.89 (0.90) * | 0.95 (0.95) |' in printed
    committed = json.loads((REPOSITORY / PROJECT / 'results/costs.json').read_text())
    found = json.loads((tmp_path / 'costs.json').read_text())
    assert found['gflops'].items() <= committed['gflops'].items()
    measured = {key: committed[key] for key in ('measured', 'batch_size', 'machine')}
    (tmp_path / 'costs.json').write_text(json.dumps({**found, **measured}))
    cost_tables.main(['--out', str(tmp_path)])
    kept = json.loads((tmp_path / 'costs.json').read_text())
    assert kept.items() >= measured.items(), 'what was measured stays'
    assert 'an iteration of 32 images' in capsys.readouterr().out
    assert found['pyramid']['6'] == committed['pyramid']['6'][:2]


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(batch_size='many'), ('batch_size', "'many'")),
        (dict(measured={'BP': {'gb': 1, 'seconds': 0}}), ('measured.BP.seconds', ' 0')),
        (dict(measured={'BP': {'gb': 1, 'seconds': 2}}), ('BP checkpointed', 'measured')),
        (dict(machine={'cores': 2}), ('machine.processor',)),
    ],
)
def test_costs_that_were_changed_by_hand_are_refused(tmp_path, change, named):
    committed = json.loads((REPOSITORY / PROJECT / 'results/costs.json').read_text())
    (tmp_path / 'costs.json').write_text(json.dumps({**committed, **change}))
    with pytest.raises(InputError) as caught:
        cost_tables.measure(Namespace(out=tmp_path, rounds=0))
    assert f'{tmp_path}/costs.json' in str(caught.value)
    assert all(word in str(caught.value) for word in named)


def test_the_memory_on_imagenet_is_that_of_a_batch_on_every_gpu(monkeypatch, tmp_path, capsys):
    chosen = {key: value for key, value in imagenet_memory.PAPER.items() if key == ('ResNet-34', 'BP')}
    monkeypatch.setattr(imagenet_memory, 'PAPER', chosen)
    imagenet_memory.main(['--out', str(tmp_path)])
    (entry,) = json.loads((tmp_path / 'imagenet_memory.json').read_text())
    # 31.8 MiB an image by the saved tensors of its layers, of which some share memory, and 12 bytes for each of 21.8 M
    # parameters, on eight GPUs with 128 images each
    assert entry['gb'] == pytest.approx(8 * (128 * 31.8 * 2**20 + 12 * 21.8e6) / 1e9, rel=0.05)
    assert '(42.95) | 1.00x (1.00x) |' in capsys.readouterr().out
