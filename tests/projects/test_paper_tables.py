"""The studies: what they list, that they run what is missing, and that tables claim nothing else."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tests_support import REPOSITORY, assert_error, tool, write

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

import cost_tables
import imagenet_memory
import make_tables

from auglocal_mm.registry import MODELS
from auglocal_mm.studies import read_results, read_study, run_config

PROJECT = 'projects/paper_tables'
FILES = sorted((REPOSITORY / PROJECT / 'studies').glob('*.py'))
METRICS = ('accuracy/top1', 'accuracy/top5')


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_run_of_a_study_builds(path):
    study = read_study(path)
    for run in study.runs:
        config = run_config(run, seed=1, extra={})
        assert config.randomness.seed == 1
        init_default_scope('auglocal_mm')
        # torchvision's RegNet computes its widths with tensors, which must hold data.
        with torch.device('cpu' if 'regnet' in run.config else 'meta'):
            assert len(MODELS.build(config.model).layers) > 8
    assert {metric for run in study.runs for metric in run.paper} <= set(study.metrics)


def test_the_tables_of_the_paper_are_all_there():
    studied = {study.name: study for study in map(read_study, FILES)}
    cells = {name: len(study.runs) for name, study in studied.items()}
    small = 6 * 9 + 3 * 7  # two ResNets on three data sets, VGG19 with three depths
    assert cells == {
        'small_images': small,
        'generalisation': 15,
        'imagenet': 7,
        'selection': 40,
        'pyramid': 25,
        'infopro_loss': 8,
        'cifar10_short': 21,
    }


D2_TO_D9 = [f'd={depth}' for depth in range(2, 10)]
RULES = ['BP', 'PredSim', 'InfoPro', 'DGL', *D2_TO_D9[:5]]
GROWING = ['BP', *D2_TO_D9[:4]]  # depths that the paper does not name
VGG19 = ['BP', 'PredSim', 'DGL', *D2_TO_D9[:3]]
PRINTED = {  # top-1 in arXiv 2402.17318, row by row, typed from the tables and not from the studies
    'small_images': {
        'ResNet-32 CIFAR-10': (RULES, '93.73 79.29 87.26 86.30 91.12 92.26 93.08 93.38 93.47'),
        'ResNet-32 SVHN': (RULES, '97.01 92.02 93.30 95.14 95.86 96.43 96.79 96.87 96.85'),
        'ResNet-32 STL-10': (RULES, '80.80 70.67 70.85 73.13 78.58 79.79 80.65 80.73 80.95'),
        'ResNet-110 CIFAR-10': (RULES, '94.61 74.95 86.95 85.69 90.98 92.62 93.22 93.75 93.96'),
        'ResNet-110 SVHN': (RULES, '97.10 89.90 92.26 95.12 95.92 96.45 96.74 96.85 96.96'),
        'ResNet-110 STL-10': (RULES, '80.41 68.91 70.61 72.27 78.29 79.30 80.77 80.20 80.40'),
        'VGG19 CIFAR-10': (VGG19, '93.68 86.49 92.48 93.16 93.46 93.69'),
        'VGG19 SVHN': (VGG19, '96.79 94.07 96.63 96.48 96.65 96.64'),
    },
    'generalisation': {
        'mobilenet-v2': (GROWING, '94.89 92.16 93.94 94.43 94.52'),
        'efficientnet-b0': (GROWING, '93.52 92.70 92.84 93.03 93.13'),
        'regnetx-400mf': (GROWING, '95.70 94.42 94.72 94.96 95.09'),
    },
    'imagenet': {
        'VGG13': (['BP', 'AugLocal', 'DGL'], '71.59/90.37 70.92/90.13 67.32/87.81'),
        'ResNet-34': (['BP', 'AugLocal'], '74.28/91.76 73.95/91.70'),
        'ResNet-101': (['BP', 'AugLocal'], '77.34/93.71 76.70/93.29'),
    },
    'selection': {
        'uniform': (D2_TO_D9, '90.98 92.62 93.22 93.75 93.96 94.03 94.01 94.30'),
        'sequential': (D2_TO_D9, '82.19 85.34 86.88 88.52 89.49 90.44 91.15 91.85'),
        'repetitive': (D2_TO_D9, '82.24 85.16 86.47 87.64 88.59 89.30 89.85 90.79'),
        '1x1 convolutions': (D2_TO_D9, '80.61 87.34 88.40 89.29 88.82 89.55 89.16 89.05'),
        '3x3 convolutions': (D2_TO_D9, '83.03 85.82 87.84 89.19 90.01 90.73 91.11 91.50'),
    },
    'infopro_loss': {'AugLocal + InfoPro': (D2_TO_D9, '91.59 92.75 93.71 94.11 94.02 94.17 94.29 94.08')},
    'pyramid': {},
}


@pytest.mark.parametrize('name', PRINTED)
def test_the_figures_of_the_paper(name):
    expected = {}
    for row, (columns, figures) in PRINTED[name].items():
        for column, figure in zip(columns, figures.split(), strict=True):
            expected[row, column] = dict(zip(METRICS, map(float, figure.split('/')), strict=False))
    study = read_study(REPOSITORY / PROJECT / f'studies/{name}.py')
    assert {(run.row, run.column): dict(run.paper) for run in study.runs if run.paper} == expected


def test_the_short_study_quotes_the_paper_beside_every_schedule():
    columns, figures = PRINTED['small_images']['ResNet-32 CIFAR-10']
    printed = dict(zip(columns, map(float, figures.split()), strict=True))
    for run in read_study(REPOSITORY / PROJECT / 'studies/cifar10_short.py').runs:
        assert run.paper == {'accuracy/top1': printed[run.column]}, run.name


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


def test_a_run_that_fails_is_named_and_the_others_go_on(tiny_study, tmp_path):
    results = tmp_path / 'results.json'
    broken = tiny_study.read_text().replace("column='BP',", "column='BP', options={'model.head.num_classes': 7},")
    tiny_study.write_text(broken)
    done = run_study(tiny_study, results)
    assert_error(done, 'r-bp, seed 0, failed', 'num_classes', 'log.txt')
    assert list(read_results(results)) == ['r-d=3']


def test_other_settings_do_not_go_on_from_an_old_run(tiny_study, tmp_path):
    results = tmp_path / 'results.json'
    chosen = ('--only', 'r-bp', '--cfg-options', 'val_dataloader.num_workers=0')
    done = run_study(tiny_study, results, *chosen)
    assert done.returncode == 0, done.stderr[-2000:]
    record = read_results(results)['r-bp']['0']
    assert record['overrides'] == {}  # a setting of the machine
    results.unlink()
    folder = str(tmp_path / 'work/r-bp/seed0')
    done = run_study(tiny_study, results, *chosen, 'optim_wrapper.optimizer.lr=0.02')
    assert_error(done, 'r-bp', folder, 'optim_wrapper.optimizer.lr', '--work-dir')
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("options = {'val", "options = {'train_cfg.max_epochs': 2, 'val"))
    assert_error(run_study(tiny_study, results, *chosen), 'r-bp', folder, 'train_cfg.max_epochs', '--work-dir')
    assert not results.exists()
    tiny_study.write_text(text)
    done = run_study(tiny_study, results, '--only', 'r-bp', '--cfg-options', 'val_dataloader.num_workers=1')
    assert done.returncode == 0, done.stderr[-2000:]  # a setting of the machine
    assert read_results(results)['r-bp']['0']['sha256'] == record['sha256']


@pytest.fixture
def long_study(tiny_study) -> Path:
    """Its runs take long enough to be stopped."""
    text = tiny_study.read_text()
    tiny_study.write_text(text.replace("options = {'val", "options = {'train_cfg.max_epochs': 12, 'val"))
    return tiny_study


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.is_file():
            return
        time.sleep(0.1)
    pytest.fail(f'{path} was not written')


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f'/proc/{process}/task/{process}/children').read_text().split()]


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not_been(long_study, tmp_path):
    work_dir = tmp_path / 'stopped'
    command = [
        sys.executable,
        f'{PROJECT}/run_study.py',
        str(long_study),
        '--only',
        'r-d=3',
        '--work-dir',
        str(work_dir),
    ]
    command += ['--results', str(tmp_path / 'stopped.json')]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPOSITORY)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True) as study:
        wait_for(work_dir / 'r-d=3/seed0/work_dir/epoch_2.pth')
        (training,) = children(study.pid)
        study.send_signal(signal.SIGTERM)
        _, errors = study.communicate(timeout=60)
    assert study.returncode == 128 + signal.SIGTERM
    assert 'Traceback' not in errors
    assert not Path(f'/proc/{training}').exists()
    assert not (tmp_path / 'stopped.json').exists()
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'resumed epoch' in (work_dir / 'r-d=3/seed0/log.txt').read_text()
    done = run_study(long_study, tmp_path / 'whole.json', '--only', 'r-d=3')
    assert done.returncode == 0, done.stderr[-2000:]
    stopped, whole = (read_results(tmp_path / f'{name}.json')['r-d=3']['0'] for name in ('stopped', 'whole'))
    assert stopped.pop('config_hash') != whole.pop('config_hash')  # it counts the work_dir
    assert stopped == whole  # sha256 of the weights among them


def test_a_training_that_outlives_its_study_keeps_its_lock(long_study, tmp_path):
    command = [sys.executable, f'{PROJECT}/run_study.py', str(long_study), '--only', 'r-bp']
    command += ['--work-dir', str(tmp_path / 'work'), '--results', str(tmp_path / 'r.json')]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(REPOSITORY)}
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment) as study:
        wait_for(tmp_path / 'work/r-bp/seed0/work_dir/epoch_1.pth')
        (training,) = children(study.pid)
        study.kill()
    try:
        second = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
        assert 'r-bp, seed 0, is being trained by another process' in second.stdout
        assert Path(f'/proc/{training}').exists()
    finally:
        os.kill(training, signal.SIGKILL)


def test_a_run_of_another_process_is_skipped(tiny_study, tmp_path):
    results, lock = tmp_path / 'results.json', tmp_path / 'work/r-bp/seed0/lock'
    lock.parent.mkdir(parents=True)
    with open(lock, 'ab') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = run_study(tiny_study, results, '--only', 'r-bp')
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'r-bp, seed 0, is being trained by another process' in done.stdout
    assert not results.exists()


def record(top1: float, **overrides) -> dict:
    return {'accuracy': {'accuracy/top1': top1}, 'overrides': overrides}


def test_cells_of_other_settings_are_marked(tiny_study, tmp_path, capsys):
    rows = {
        'r-bp': {'0': record(10, **{'train_dataloader': {'num_workers': 8}, 'val_dataloader.dataset.data_root': 'x'})},
        'r-d=3': {'0': record(20), '1': record(22, **{'train_cfg.max_epochs': 5, 'train_dataloader.num_workers': 8})},
    }
    (tmp_path / 'tiny.json').write_text(json.dumps(rows))
    make_tables.main([str(tiny_study), '--results', str(tmp_path)])
    printed = capsys.readouterr().out
    assert '| r | 10.00 (12.34) | 21.00 ± 1.41 (n=2) † |' in printed
    assert printed.count('† Run with settings') == 1
    assert 'r-d=3 (train_cfg.max_epochs=5).' in printed
    written = json.loads((tmp_path / 'tiny_table.json').read_text())
    assert written['r-d=3']['overrides'] == {'train_cfg.max_epochs': 5}


def test_a_result_without_the_metric_is_refused(tiny_study, tmp_path):
    (tmp_path / 'tiny.json').write_text(json.dumps({'r-bp': {'3': {'accuracy': {'accuracy/top5': 99.0}}}}))
    done = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(tmp_path))
    assert_error(done, 'r-bp, seed 3', 'has no accuracy/top1')


def test_a_result_of_other_options_is_refused(tiny_study, tmp_path):
    old = {**record(10), 'options': {'train_cfg.max_epochs': 7, 'val_dataloader.dataset.data_root': 'x'}}
    (tmp_path / 'tiny.json').write_text(json.dumps({'r-bp': {'2': old}}))
    done = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(tmp_path))
    assert_error(done, 'r-bp, seed 2', 'another train_cfg.max_epochs', 'than the study says')


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
    types = [run_config(run, 0, {}).train_dataloader.dataset.to_dict() for run in study.runs]
    assert all(each == types[0] and 'name' not in each for each in types)
    assert isinstance(run_config(study.runs[0], 0, {}), Config)


def test_the_memory_on_imagenet_is_that_of_a_batch_on_every_gpu(monkeypatch, tmp_path, capsys):
    chosen = {key: value for key, value in imagenet_memory.PAPER.items() if key == ('ResNet-34', 'BP')}
    monkeypatch.setattr(imagenet_memory, 'PAPER', chosen)
    imagenet_memory.main(['--out', str(tmp_path)])
    (entry,) = json.loads((tmp_path / 'imagenet_memory.json').read_text())
    # 31.8 MiB an image by the saved tensors of its layers, of which some share memory, and 12 bytes for each of 21.8 M
    # parameters, on eight GPUs with 128 images each
    assert entry['gb'] == pytest.approx(8 * (128 * 31.8 * 2**20 + 12 * 21.8e6) / 1e9, rel=0.05)
    assert '(42.95) | 1.00x (1.00x) |' in capsys.readouterr().out
