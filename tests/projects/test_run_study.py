"""Studies run only missing results: kill and resume, other settings, locks, failures."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests_processes import Started
from tests_support import REPOSITORY, assert_error, tool

from auglocal_mm.studies import read_results

sys.path.insert(0, str(REPOSITORY / 'projects/paper_tables'))

import run_study as study_tool

PROJECT = 'projects/paper_tables'


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


def test_overrides_are_recorded_and_marked_and_other_runs_continue_after_a_failure(tiny_study, tmp_path):
    results = tmp_path / 'results' / 'tiny.json'
    done = run_study(
        tiny_study, results, '--cfg-options', 'model.auxiliary_heads.depth=3'
    )  # the first run has no heads
    assert_error(done, 'r-bp, seed 0', 'log.txt')
    assert list(read_results(results)) == ['r-d=3']
    record = read_results(results)['r-d=3']['0']
    assert record['overrides'] == {'model.auxiliary_heads.depth': 3}
    table = tool(f'{PROJECT}/make_tables.py', str(tiny_study), '--results', str(results.parent))
    assert '† Run with settings of the command line' in table.stdout


def test_other_settings_do_not_continue_an_old_run(tiny_study, tmp_path):
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


def wait_for(path: Path) -> None:
    for _ in range(6000):
        if path.is_file():
            return
        time.sleep(0.01)
    pytest.fail(f'{path} was not written')


def children(process: int) -> list[int]:
    return [int(word) for word in Path(f'/proc/{process}/task/{process}/children').read_text().split()]


def test_a_stopped_study_continues_as_if_uninterrupted(long_study, tmp_path):
    work_dir = tmp_path / 'stopped'
    command = [f'{PROJECT}/run_study.py', str(long_study), '--only', 'r-d=3', '--work-dir', str(work_dir)]
    command += ['--results', str(tmp_path / 'stopped.json')]
    study = Started(*command)
    wait_for(work_dir / 'r-d=3/seed0/work_dir/last_checkpoint')
    (training,) = children(study.process.pid)
    study.process.terminate()
    stopped = study.wait()
    assert stopped.returncode == 128 + signal.SIGTERM
    assert 'Traceback' not in stopped.stderr
    assert not Path(f'/proc/{training}').exists()
    assert not (tmp_path / 'stopped.json').exists()
    done = tool(*command)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'resumed epoch' in (work_dir / 'r-d=3/seed0/log.txt').read_text()
    done = run_study(long_study, tmp_path / 'whole.json', '--only', 'r-d=3')
    assert done.returncode == 0, done.stderr[-2000:]
    stopped, whole = (read_results(tmp_path / f'{name}.json')['r-d=3']['0'] for name in ('stopped', 'whole'))
    assert stopped.pop('config_hash') != whole.pop('config_hash')  # it counts the work_dir
    for cost in ('training_seconds', 'peak_memory'):
        assert stopped.pop(cost) and whole.pop(cost)
    assert stopped == whole  # sha256 of the weights among them


def test_a_training_that_outlives_its_study_keeps_its_lock(long_study, tmp_path):
    command = [f'{PROJECT}/run_study.py', str(long_study), '--only', 'r-bp']
    command += ['--work-dir', str(tmp_path / 'work'), '--results', str(tmp_path / 'r.json')]
    study = Started(*command)
    wait_for(tmp_path / 'work/r-bp/seed0/work_dir/last_checkpoint')
    (training,) = children(study.process.pid)
    os.kill(training, signal.SIGSTOP)  # or it might end before the second study gives up
    study.process.kill()
    try:
        assert 'r-bp, seed 0, is being trained by another process' in tool(*command).stdout
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


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('runs = []\n', ('title',)),
        (
            "title = 'x'\nruns = [dict(row='a', column='b', config='configs/nothing.py')]\n",
            ('configs/nothing.py',),
        ),
        (
            "title = 'x'\nruns = [dict(row='a', column='b', config='configs/bp/resnet32_bp_1xb1024-400e_cifar10.py')] * 2\n",
            (' a-b',),
        ),
    ],
)
def test_bad_studies_are_refused(content, words, tmp_path):
    path = tmp_path / 'bad.py'
    path.write_text(content)
    assert_error(run_study(path, tmp_path / 'results.json'), str(path), *words)


def test_unknown_studies_and_runs_are_refused(tiny_study, tmp_path):
    assert_error(run_study(tmp_path / 'no.py', tmp_path / 'r.json'), 'study', str(tmp_path / 'no.py'))
    assert_error(run_study(tiny_study, tmp_path / 'r.json', '--only', 'zzz'), 'tiny', 'zzz', '--list')
    (tmp_path / 'r.json').write_text('{')
    assert_error(run_study(tiny_study, tmp_path / 'r.json'), str(tmp_path / 'r.json'), 'JSON')


def test_results_that_cannot_be_written_are_refused_before_the_training(tiny_study, tmp_path):
    for results, named in ((tmp_path, f'--results is {tmp_path}'), (Path('/proc/x/t.json'), '/proc/x/t.lock')):
        assert_error(run_study(tiny_study, results), named)
    assert not (tmp_path / 'work').exists()
    assert_error(
        run_study(tiny_study, tmp_path / 'r.json', '--cfg-options', 'randomness.seed=7'), 'randomness.seed', '--seeds'
    )


def run_in_process(tiny_study, tmp_path, monkeypatch, capsys, status, said=b''):
    """Runs a study whose first training prints ``said`` and ends with ``status``, and whose second succeeds."""
    started = []

    def end(command, stdout, **settings):
        started.append(command)
        work_dir = Path(command[command.index('--work-dir') + 1])
        work_dir.mkdir(exist_ok=True)
        (work_dir / 'backbone.json').write_text('{"method": "AugLocalHead", "accuracy": {"accuracy/top1": 50.5}}')
        stdout.write(said)
        return subprocess.CompletedProcess(command, status if len(started) == 1 else 0)

    monkeypatch.setattr(study_tool.subprocess, 'run', end)
    results = tmp_path / 'results.json'
    with pytest.raises(SystemExit) as stopped:
        study_tool.main([str(tiny_study), '--work-dir', str(tmp_path / 'work'), '--results', str(results)])
    assert stopped.value.code == 1
    assert read_results(results)['r-d=3']['0']['accuracy'] == {'accuracy/top1': 50.5}
    assert len(started) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ('status', 'said', 'words'),
    [
        (-signal.SIGKILL, b'epoch 1, loss: 0.5\n', ('SIGKILL', 'memory')),
        (-signal.SIGTERM, b'', ('SIGTERM',)),
        (1, b'first\nerror: no such thing\n\n', ('error: no such thing',)),
        (1, b'', ('failed',)),
        (1, b'\xff\n', ('\ufffd',)),
    ],
)
def test_the_end_of_a_training_is_reported_and_the_others_are_run(
    status, said, words, tiny_study, tmp_path, monkeypatch, capsys
):
    log = tmp_path / 'work/r-bp/seed0/log.txt'
    log.parent.mkdir(parents=True)
    log.write_text('said by an earlier start\n')
    told = run_in_process(tiny_study, tmp_path, monkeypatch, capsys, status, said)
    assert all(word in told for word in ('r-bp, seed 0', str(log), *words)), told
    assert ('epoch 1' in told, 'earlier' in told) == (False, False)


@pytest.mark.parametrize('text', ['import sys\nsys.exit(0)\n', "open('marker', 'w')\n", 'model = dict(', ''])
def test_the_config_of_an_earlier_start_is_not_run(text, tiny_study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / 'work/r-bp/seed0/r-bp.py'
    config.parent.mkdir(parents=True)
    config.write_text(text)
    run = study_tool.read_study(tiny_study).runs[0]
    with pytest.raises(study_tool.InputError, match=r'r-bp\b.*work/r-bp/seed0\b'):
        study_tool.check_settings(run, config, study_tool.run_config(run, 0, {}))
    assert not (tmp_path / 'marker').exists()
