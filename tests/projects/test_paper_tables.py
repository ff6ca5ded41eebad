"""The studies: what they list, that they run what is missing, and that tables claim nothing else."""

import json
import os
import subprocess
import sys
import time

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY, assert_error, tool, write

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

import cost_tables
from run_study import settings
from study import read_results, read_study, studies

from auglocal_mm.registry import MODELS

PROJECT = 'projects/paper_tables'
FILES = sorted(studies())


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_run_of_a_study_builds(path):
    study = read_study(path)
    for run in study.runs:
        config = settings(run, seed=1, extra={})
        assert config.randomness.seed == 1
        init_default_scope('auglocal_mm')
        if run in (study.runs[0], study.runs[-1]):
            assert len(MODELS.build(config.model).layers) > 8
    assert {metric for run in study.runs for metric in run.paper} <= set(study.metrics)


def test_the_tables_of_the_paper_are_all_there():
    studied = {study.name: study for study in map(read_study, FILES)}
    cells = {name: len(study.runs) for name, study in studied.items()}
    small = 6 * 9 + 3 * 6  # two ResNets on three data sets, VGG19 without InfoPro and with three depths
    assert cells == {
        'small_images': small,
        'generalisation': 15,
        'imagenet': 7,
        'selection': 40,
        'pyramid': 25,
        'infopro_loss': 8,
        'cifar10_short': 21,
    }
    values = {(run.row, run.column): run.paper for run in studied['small_images'].runs}
    assert values['ResNet-110 STL-10', 'd=4'] == {'accuracy/top1': 80.77}
    assert values['VGG19 SVHN', 'DGL'] == {'accuracy/top1': 96.63}


@pytest.fixture
def tiny_study(tiny_config, tmp_path):
    for name, method in (('a', 'bp'), ('b', 'auglocal')):
        write(tiny_config(method, **{'train_cfg.max_epochs': 1, 'param_scheduler.T_max': 1}), tmp_path / f'{name}.py')
    path = tmp_path / 'tiny.py'
    paths = {name: str(tmp_path / f'{name}.py') for name in 'ab'}
    path.write_text(
        "title = 'Tiny'\n"
        "options = {'val_dataloader.dataset': dict(_delete_=True, type='ImageFolder', split='val',"
        f" data_root={str(tmp_path / 'images')!r}, transforms=[dict(type='Resize', size=32)])}}\n"
        f"runs = [dict(row='r', column='BP', config={paths['a']!r}, paper={{'accuracy/top1': 12.34}}),\n"
        f"        dict(row='r', column='d=3', config={paths['b']!r})]\n"
    )
    return path


def run_study(path, results, *arguments) -> subprocess.CompletedProcess:
    work_dir = str(path.parent / 'work')
    return tool(f'{PROJECT}/run_study.py', str(path), '--work-dir', work_dir, '--results', str(results), *arguments)


def test_a_study_runs_what_is_missing_and_its_table_says_what_was_not_run(tiny_study, tmp_path):
    results = tmp_path / 'results' / 'tiny.json'
    done = run_study(tiny_study, results, '--only', 'r-bp', '--seeds', '0', '1')
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(read_results(results)['r-bp']) == ['0', '1']
    first = json.loads(results.read_text())
    table = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(results.parent))
    assert table.returncode == 0, table.stderr
    assert '(n=2) (12.34) | not run |' in table.stdout
    done = run_study(tiny_study, results, '--list')
    assert done.stdout.splitlines()[-2:] == ['r-bp: 0, 1', 'r-d-3: not run'] or 'r-d=3: not run' in done.stdout
    done = run_study(tiny_study, results, '--seeds', '0')  # only the other run is left, and shares its options
    assert done.returncode == 0, done.stderr[-2000:]
    second = json.loads(results.read_text())
    assert second['r-bp'] == first['r-bp']
    assert second['r-d=3']['0']['method'] == 'AugLocalHead'


def test_other_settings_are_neither_resumed_nor_reported(tiny_study, tmp_path):
    done = run_study(tiny_study, tmp_path / 'a.json', '--only', 'r-bp')
    assert done.returncode == 0, done.stderr[-2000:]
    other = ['--only', 'r-bp', '--cfg-options', 'optim_wrapper.optimizer.lr=7']
    refused = run_study(tiny_study, tmp_path / 'b.json', *other)
    assert_error(refused, 'r-bp was started in', 'another optim_wrapper.optimizer.lr', 'remove that folder')
    assert not (tmp_path / 'b.json').exists()
    assert read_results(tmp_path / 'a.json')['r-bp']['0']['overrides'] == {}


def test_overrides_are_recorded_and_marked_and_others_go_on_after_a_failure(tiny_study, tmp_path):
    results = tmp_path / 'results' / 'tiny.json'
    done = run_study(
        tiny_study, results, '--cfg-options', 'model.auxiliary_heads.depth=3'
    )  # the first run has no heads
    assert_error(done, 'r-bp, seed 0, failed')
    record = read_results(results)['r-d=3']['0']
    assert record['overrides'] == {'model.auxiliary_heads.depth': 3}
    table = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(results.parent))
    assert '† Run with settings of the command line' in table.stdout


def test_the_training_ends_with_the_study_and_goes_on_with_the_next(tiny_study, tmp_path):
    command = [sys.executable, f'{PROJECT}/run_study.py', str(tiny_study), '--only', 'r-bp', '--work-dir']
    command += [str(tmp_path / 'work'), '--results', str(tmp_path / 'r.json')]
    study = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, 'PYTHONPATH': str(REPOSITORY)})
    trainings = ['pgrep', '-f', f'tools/train.py {tmp_path}']
    while subprocess.run(trainings, capture_output=True).returncode:
        assert study.poll() is None
        time.sleep(0.2)
    study.terminate()
    assert study.wait() == 128 + 15
    assert subprocess.run(trainings, capture_output=True).returncode == 1
    assert not (tmp_path / 'r.json').exists()
    assert subprocess.run(command, cwd=REPOSITORY).returncode == 0
    assert '0' in read_results(tmp_path / 'r.json')['r-bp']


def test_a_run_that_fails_is_named_and_leaves_no_result(tiny_study, tmp_path):
    results = tmp_path / 'results.json'
    done = run_study(tiny_study, results, '--only', 'r-bp', '--cfg-options', 'model.head.num_classes=7')
    assert_error(done, 'r-bp, seed 0, failed', 'num_classes', 'log.txt')
    assert not results.exists()


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('runs = []\n', ('has no title',)),
        (
            "title = 'x'\nruns = [dict(row='a', column='b', config='configs/nothing.py')]\n",
            ('configs/nothing.py', 'not there'),
        ),
        (
            "title = 'x'\nruns = [dict(row='a', column='b', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py')] * 2\n",
            ('two runs a-b',),
        ),
    ],
)
def test_bad_studies_are_refused(content, words, tmp_path):
    path = tmp_path / 'bad.py'
    path.write_text(content)
    assert_error(run_study(path, tmp_path / 'results.json'), *words)


def test_unknown_studies_and_runs_are_refused(tiny_study, tmp_path):
    assert_error(run_study(tmp_path / 'no.py', tmp_path / 'r.json'), 'there is no study')
    assert_error(run_study(tiny_study, tmp_path / 'r.json', '--only', 'zzz'), 'has no run zzz')
    (tmp_path / 'r.json').write_text('{')
    assert_error(run_study(tiny_study, tmp_path / 'r.json'), 'is no JSON')


def test_costs_are_computed_without_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost_tables, 'PYRAMID', {6: (0.90, 0.95)})
    monkeypatch.setattr(cost_tables, 'DECAYS', (1.0, 0.9))
    monkeypatch.setattr(cost_tables, 'RULES', {name: cost_tables.RULES[name] for name in ('BP', 'd=2')})
    cost_tables.main(['--out', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '| d=2 | 0.63 (0.63) | not run (1.71) | not run (87.2) |' in printed
    assert '| d=6 | 0.89 (0.90) * | 0.95 (0.95) |' in printed
    committed = json.loads((REPOSITORY / PROJECT / 'results/costs.json').read_text())
    found = json.loads((tmp_path / 'costs.json').read_text())
    assert found['gflops'].items() <= committed['gflops'].items()
    assert found['pyramid']['6'] == committed['pyramid']['6'][:2]


def test_unpacking_keeps_images_and_labels(tmp_path):
    import io

    import numpy as np
    from PIL import Image

    pictures, bodies = [], []
    for value in range(4):
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 8, 3), 60 * value, np.uint8)).save(buffer, format='JPEG')
        pictures.append(buffer.getvalue())
    header = pictures[0][:2]
    bodies = [picture[2:] for picture in pictures]
    arrays = dict(
        header=np.frombuffer(header, np.uint8),
        body=np.frombuffer(b''.join(bodies), np.uint8),
        offsets=np.cumsum([0, *map(len, bodies)]),
        labels=np.array([1, 0, 1, 1]),
        classes=np.array(['cat', 'dog']),
    )
    for split in ('train', 'test'):
        np.savez(tmp_path / f'cifar10_jpeg_{split}.npz', **arrays)
    done = tool(f'{PROJECT}/cifar10_jpeg.py', str(tmp_path), str(tmp_path / 'out'), '--train-images', '3')
    assert done.returncode == 0, done.stderr
    names = sorted(str(path.relative_to(tmp_path / 'out')) for path in (tmp_path / 'out').rglob('*.jpg'))
    assert names == [
        *('test/cat/00001.jpg', 'test/dog/00000.jpg', 'test/dog/00002.jpg', 'test/dog/00003.jpg'),
        *('train/cat/00001.jpg', 'train/dog/00000.jpg', 'train/dog/00002.jpg'),
    ]
    assert (tmp_path / 'out/test/dog/00003.jpg').read_bytes() == pictures[3]
    assert_error(tool(f'{PROJECT}/cifar10_jpeg.py', str(tmp_path / 'no'), str(tmp_path / 'x')), 'is no .npz')


def test_options_of_a_study_are_not_eaten_by_the_first_run():
    study = read_study(REPOSITORY / PROJECT / 'studies/cifar10_short.py')
    types = [settings(run, 0, {}).train_dataloader.dataset.to_dict() for run in study.runs]
    assert all(each == types[0] and 'name' not in each for each in types)
    assert isinstance(settings(study.runs[0], 0, {}), Config)
