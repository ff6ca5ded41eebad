"""Runs the missing runs of a study, each in its own process, resumable, with a progress bar."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_json, write_text
from auglocal_mm.files.lock import locked
from auglocal_mm.files.run_record import plain, read_record
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.settings.cfg_options import CfgOptions
from auglocal_mm.studies import Run, Study, read_results, read_study, run_config
from auglocal_mm.studies.machine_settings import first_difference, without_machine
from auglocal_mm.weights.backbone_record import read_backbone_record

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def gpu_name() -> str | None:
    """The name of the first GPU."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def check_settings(run: Run, path: Path, wanted: Config) -> None:
    """Refuses a run that was started with other settings, whether it is finished or not.

    Raises:
        InputError: A setting differs, other than those of the machine.
    """
    if not path.is_file():
        return
    advice = 'remove that folder, or give another --work-dir'
    started = read_record(path)
    if started is None:
        raise InputError(f'{run.name} was started in {path.parent} by {path.name}, which is damaged; {advice}')
    key = first_difference(plain(started), plain(wanted.to_dict()))
    if key:
        raise InputError(f'{run.name} was started in {path.parent} with another {key}; {advice}')


def train(run: Run, seed: int, folder: Path, extra: Mapping[str, Any], lock: int) -> dict:
    """Trains one run to its end, from its last checkpoint if there is one.

    The training inherits the ``lock``, so that no other process starts the same training even if this one is killed.

    Returns:
        The record of its backbone.

    Raises:
        InputError: The training failed or was killed, or was started with other settings.
    """
    config, wanted = folder / f'{run.name}.py', run_config(run, seed, extra)
    check_settings(run, config, wanted)
    write_text(config, wanted.pretty_text)
    command = [sys.executable, 'tools/train.py', str(config), '--work-dir', str(folder / 'work_dir'), '--resume']
    with open(folder / 'log.txt', 'ab') as log:
        before = log.tell()
        done = subprocess.run(
            command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, check=False, pass_fds=[lock]
        )
    if done.returncode:
        raise InputError(f'{run.name}, seed {seed}, {_failure(done.returncode, folder / "log.txt", before)}')
    record = read_backbone_record(folder / 'work_dir' / 'backbone.json').model_dump(exclude_unset=True)
    machine = {'cpus': os.cpu_count(), 'gpu': gpu_name()}
    chosen = {'options': without_machine(run.options), 'overrides': without_machine(extra)}
    return {**record, 'config': run.config, 'machine': machine, **chosen}


def _failure(status: int, log: Path, before: int) -> str:
    """Describes how a training ended, as the end of a sentence.

    Args:
        status: Its exit status.
        log: Its output, after that of earlier starts.
        before: Number of bytes that earlier starts wrote to ``log``.
    """
    if status < 0:
        reason = ', which the system does when memory runs out' if -status == signal.SIGKILL else ''
        return (
            f'was killed by {signal.Signals(-status).name}{reason}; run the same command again to resume it. See {log}'
        )
    lines = log.read_bytes()[before:].decode(errors='replace').split('\n')
    said = next((line.strip() for line in reversed(lines) if line.strip()), 'no output')
    return f'failed ({said}); see {log}'


def run_one(run: Run, seed: int, folder: Path, results: Path, extra: Mapping[str, Any]) -> None:
    """Trains one run, unless another process does, and writes its result at once."""
    with locked(folder / 'lock', wait=6) as lock:  # data workers survive a killed training for 5 s
        if lock is None:
            print(f'{run.name}, seed {seed}, is being trained by another process')
            return
        record = train(run, seed, folder, extra, lock)
    with locked(results.with_suffix('.lock')):
        measured = read_results(results)
        measured.setdefault(run.name, {})[str(seed)] = record
        write_json(results, measured)


def run_study(study: Study, seeds: Sequence[int], folder: Path, results: Path, extra: Mapping[str, Any]) -> None:
    """Runs every run and seed without a result.

    Raises:
        InputError: Some runs failed; the others were run nevertheless.
    """
    measured, failures = read_results(results), []
    missing = [(run, seed) for seed in seeds for run in study.runs if str(seed) not in measured.get(run.name, {})]
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(study.name, total=len(missing))
        for run, seed in missing:
            progress.update(task, description=f'{run.name} seed {seed}')
            try:
                run_one(run, seed, folder / run.name / f'seed{seed}', results, extra)
            except (InputError, OSError) as error:
                failures.append(str(error))
            progress.advance(task)
    if failures:
        raise InputError('; '.join(failures))


def check_writable(results: Path) -> None:
    """Checks that ``results`` can be written, before anything is trained.

    Raises:
        InputError: ``results`` is a folder, or cannot be created.
    """
    if results.is_dir():
        raise InputError(f'--results is {results}, a folder; expected a file')
    with locked(results.with_suffix('.lock')):
        pass


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and runs a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('study', type=Path, help='study file, such as projects/paper_tables/studies/small_images.py')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--only', nargs='+', help='names of runs, as printed by --list')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/<name of the study>')
    parser.add_argument('--results', type=Path, help='default: results/<name of the study>.json of this project')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        default={},
        help='settings of this machine, such as train_dataloader.num_workers=8; all others are marked in the tables',
    )
    parser.add_argument(
        '--list', action='store_true', help='print the names of the runs and the seeds that have results, and exit'
    )
    options = parser.parse_args(arguments)
    study = read_study(options.study)
    unknown = set(options.only or []) - {run.name for run in study.runs}
    if unknown:
        raise InputError(f'{study.name} has no run {sorted(unknown)[0]}; --list prints their names')
    results = options.results or HERE / 'results' / f'{study.name}.json'
    chosen = [run for run in study.runs if not options.only or run.name in options.only]
    if options.list:
        measured = read_results(results)
        for run in chosen:
            seeds = ', '.join(sorted(measured.get(run.name, {}))) or 'not run'
            print(f'{run.name}: {seeds}')
        return
    if 'randomness.seed' in options.cfg_options:
        raise InputError('--cfg-options sets randomness.seed; give seeds with --seeds')
    check_writable(results)
    os.environ.setdefault('PYTHONPATH', str(REPOSITORY))
    work_dir = (options.work_dir or REPOSITORY / 'work_dirs' / study.name).resolve()
    run_study(replace(study, runs=chosen), options.seeds, work_dir, results, options.cfg_options)


if __name__ == '__main__':
    main()
