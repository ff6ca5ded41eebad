"""GPU campaign: its stages in miniature, failed checks, the time of each stage, and bad input."""

import json
import os
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY, tool

from auglocal_mm.benchmark.schemes import training_schemes
from auglocal_mm.errors import InputError

sys.path.insert(0, str(REPOSITORY / 'projects/gpu_campaign'))

import commands
import correctness
import memory_and_time
import run_campaign
import speedups
import stage
from campaign import Campaign, Rows

MINIATURES = ('correctness', 'memory_and_time', 'speedups')
"""Stages without trainings side by side, which ``test_gpu_campaign_trainings.py`` tests."""
SLOW_STAGE = """
import os, sys, time
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out') + 1])
(out / 'rows.json').write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture
def forked(monkeypatch):
    """Commands of the first stage start without imports."""
    forking = SimpleNamespace(run=lambda command, env, **_: tool(*command[1:], **env), CompletedProcess=object)
    monkeypatch.setattr(commands, 'subprocess', forking)


@pytest.fixture
def shorter(monkeypatch):
    """Two methods, two schemes and one timed iteration; each further one takes a second and runs the same code."""
    search = memory_and_time.training_schemes
    monkeypatch.setattr(memory_and_time, 'training_schemes', lambda *given: search(*given)[::7])
    monkeypatch.setattr(memory_and_time, 'ITERATIONS', 1)
    monkeypatch.setattr(speedups, 'ITERATIONS', 1)
    monkeypatch.setattr(correctness, 'HEADS', {name: correctness.HEADS[name] for name in ('BP', 'AugLocal d=2')})


def read(path) -> dict:
    return json.loads(path.read_text())


def run_stages(folder) -> dict[str, dict]:
    """What the stages have written, without what every start writes."""
    for name in MINIATURES:
        arguments = ['--out', str(folder), '--work', str(folder / 'work'), '--device', 'cpu', '--seconds', '300']
        stage.main([name, *arguments, '--miniature'])
    return {name: read(folder / f'{name}.json') for name in MINIATURES}


def test_only_local_schemes_are_replayed():
    init_default_scope('auglocal_mm')
    schemes = training_schemes(memory_and_time.config_of('ResNet-34', 'bfloat16', miniature=True), [])
    names = [scheme.name for scheme in schemes if memory_and_time.is_local(scheme)]
    assert names == ['AugLocal', 'AugLocal, norms recomputed', 'AugLocal checkpointed']


def test_miniature_and_a_second_start_repeats_nothing(tmp_path, forked, shorter):
    """Takes seconds: a dozen trainings of some iterations, four commands, and a search of plans."""
    first = run_stages(tmp_path)
    failed = {name: row for name, row in first['correctness']['rows'].items() if row['passed'] is not True}
    assert not failed
    assert {'isolation', 'losses of Mask R-CNN', 'stopped and resumed'} < set(first['correctness']['rows'])
    schemes = first['memory_and_time']['rows']
    assert [name for name, row in schemes.items() if 'times' not in row] == []
    assert list(schemes) == [f'ResNet-34, bfloat16, {name}' for name in ('BP', 'plan 0.70x')]
    assert [len(row['losses']) for row in first['speedups']['rows'].values()] == [speedups.WARM_UP + 1]
    for data in first.values():
        assert data['complete']
        assert data['versions']['torch'] == torch.__version__
        assert data['machine']
        assert not [row for row in data['rows'].values() if 'error' in row]
    begun = time.monotonic()
    second = run_stages(tmp_path)
    assert time.monotonic() - begun < 10
    assert {name: data['rows'] for name, data in second.items()} == {name: data['rows'] for name, data in first.items()}


def test_a_check_that_fails_is_a_row_with_its_error_and_others_go_on(tmp_path, monkeypatch):
    names = ('one_module', 'checkpointed', 'losses_of_a_cpu', 'low_precision', 'channels_last', 'boxes_and_pooling')
    for name in (*names, 'immediate_update', 'detector_losses'):
        monkeypatch.setattr(correctness, name, lambda campaign, **_: {'passed': True})
    monkeypatch.setattr(correctness, 'isolation_errors', lambda *_: 1 / 0)
    monkeypatch.setattr(correctness, 'run_commands', lambda _: {'tools/train.py': {'passed': True}})
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    correctness.run(Campaign(tmp_path, tmp_path, 'cpu', True, time.monotonic() + 60), rows)
    found = read(tmp_path / 'rows.json')['rows']
    assert found.pop('isolation') == {'passed': False, 'error': 'ZeroDivisionError: division by zero'}
    assert len(found) == 15
    assert all(row == {'passed': True} for row in found.values()), found


def test_after_its_deadline_a_stage_begins_no_check(tmp_path):
    rows = Rows(tmp_path / 'rows.json', 'cpu')
    correctness.run(Campaign(tmp_path, tmp_path, 'cpu', True, time.monotonic() - 1), rows)
    assert rows.data['rows'] == {}


def options_in(folder, **settings) -> SimpleNamespace:
    return SimpleNamespace(**{'out': folder, 'work_dir': None, 'data': folder, 'miniature': False, **settings})


def test_a_stage_is_killed_some_seconds_after_its_time_and_leaves_its_rows(tmp_path, monkeypatch):
    (tmp_path / 'stage.py').write_text(SLOW_STAGE)
    monkeypatch.setattr(run_campaign, 'HERE', tmp_path)
    monkeypatch.setattr(run_campaign, 'GRACE', 0.5)
    begun = time.monotonic()
    assert run_campaign.run_stage('correctness', 1, options_in(tmp_path)) != 0
    assert time.monotonic() - begun < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / 'rows.json').read_text()), 0)


def test_stages_share_the_time_that_is_left_and_complete_ones_are_skipped(tmp_path, monkeypatch):
    given = {}

    def fake(name, seconds, options):
        given[name] = seconds
        return int(name == 'coco')

    monkeypatch.setattr(run_campaign, 'run_stage', fake)
    monkeypatch.setattr(run_campaign, 'write_reports', lambda out: None)
    Rows(tmp_path / 'correctness.json', 'cpu').note(complete=True)
    Rows(tmp_path / 'cifar10.json', 'cpu').note(complete=False)
    chosen = ['--stages', 'correctness', 'cifar10', 'coco']
    with pytest.raises(InputError, match=r'^coco did not end well'):
        run_campaign.main.__wrapped__(['--miniature', '--out', str(tmp_path), '--minutes', '9', *chosen])
    assert list(given) == ['cifar10', 'coco']
    assert given['cifar10'] == pytest.approx(540 * 300 / 540, abs=1)
    assert given['coco'] == pytest.approx(540, abs=1)  # the first one took no time


@pytest.mark.parametrize(
    ('arguments', 'gpu', 'words'),
    [
        (['--miniature', '--minutes', '0'], False, ('--minutes', '0')),
        ([], False, ('GPU', '--miniature')),
        ([], True, ('--data', 'missing')),
        (['--data', 'no/folder'], True, ('--data', 'no/folder')),
    ],
)
def test_bad_input(tmp_path, monkeypatch, arguments, gpu, words):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    with pytest.raises(InputError) as caught:
        run_campaign.main.__wrapped__(['--out', str(tmp_path / 'out'), *arguments])
    assert all(word in str(caught.value) for word in words), caught.value
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / 'out').exists()
