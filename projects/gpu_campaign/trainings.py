"""Trains several networks at the same time on one device, each with ``tools/train.py`` in its own process."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaign import Campaign, Rows
from mmengine.config import Config

from auglocal_mm.analysis.training_log import read_curves
from auglocal_mm.errors import InputError
from auglocal_mm.launch.process_group import end_with_parent
from auglocal_mm.settings.config_file import merge_changes
from auglocal_mm.weights.backbone_record import read_backbone_record

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = 'tools/train.py'
PAUSE = 0.1
"""Seconds between two looks at the running processes."""
PATIENCE = 20
"""Seconds for a stopped training to end by itself."""


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        scheme: What is compared, such as ``'K = 2, d = 2'``.
        seed: Random seed.
        config: Path of its config, relative to the repository.
        folder: Of its log and its work_dir.
        options: Settings to override, by dotted key.
        settings: Those that belong to the result, such as the number of epochs.
    """

    scheme: str
    seed: int
    config: str
    folder: Path
    options: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its row."""
        return f'{self.scheme}, seed {self.seed}'

    @property
    def work_dir(self) -> Path:
        """The folder of its checkpoints and records."""
        return self.folder / 'work_dir'

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / 'log.txt'

    def read_config(self) -> Config:
        """Its config with all options."""
        config = Config.fromfile(REPOSITORY / self.config)
        merge_changes(config, dict(self.options))
        return config


def folder_of(campaign: Campaign, stage: str, scheme: str, seed: int) -> Path:
    """The folder of a training."""
    return campaign.work / stage / re.sub(r'[^a-z0-9]+', '-', scheme.lower()) / f'seed{seed}'


def train_all(
    trainings: Sequence[Training],
    campaign: Campaign,
    rows: Rows,
    read_result: Callable[[Path], dict[str, Any]],
    parallel: int | None = None,
) -> None:
    """Runs the trainings that have no row, in their order, and adds the row of each when it ends.

    At the deadline, running trainings are stopped; they have no row, and resume from their checkpoints next time.

    Args:
        trainings: Those to run.
        campaign: Settings of the campaign.
        rows: Rows of the stage.
        read_result: Reads the result of a training from its work_dir.
        parallel: How many run at the same time; by default one for every two CPU cores, as each has data workers, and
            for every core in a miniature.
    """
    parallel = parallel or max(1, len(os.sched_getaffinity(0)) // (1 if campaign.miniature else 2))
    waiting = [training for training in trainings if training.name not in rows]
    running: list[_Running] = []
    try:
        while running or (waiting and campaign.seconds_left > 0):
            if campaign.seconds_left <= 0:
                _stop(running)
            while waiting and len(running) < parallel and campaign.seconds_left > 0:
                running.append(_Running(waiting.pop(0), campaign.device))
            time.sleep(PAUSE)
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                if not each.stopped or each.process.returncode == 0:
                    rows.add(each.training.name, each.row(read_result))
    finally:
        _stop(running)


class _Running:
    """A training that runs."""

    def __init__(self, training: Training, device: str) -> None:
        self.training = training
        self.stopped = False
        self.resumed = training.work_dir.exists()
        training.folder.mkdir(parents=True, exist_ok=True)
        self.start = time.monotonic()
        with open(training.log, 'wb') as log:
            self.process = subprocess.Popen(
                _command(training),
                cwd=REPOSITORY,
                env=_environment(device),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent,
            )

    def row(self, read_result: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """The result, or the error, of a training that has ended, with its settings."""
        training = self.training
        row = {'scheme': training.scheme, 'seed': training.seed, **training.settings}
        row |= {'seconds': time.monotonic() - self.start, 'resumed': self.resumed}
        try:
            if self.process.returncode:
                raise InputError(_last_line(training.log))
            return {**row, **read_result(training.work_dir)}
        except InputError as error:
            return {**row, 'status': self.process.returncode, 'error': str(error)}


def _command(training: Training) -> list[str]:
    options = [f'{key}={value!r}' for key, value in training.options.items()]
    command = [sys.executable, TOOL, training.config, '--work-dir', str(training.work_dir), '--resume']
    return [*command, '--cfg-options', *options]


def _environment(device: str) -> dict[str, str]:
    paths = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get('PYTHONPATH')])])
    visible = {} if device == 'cuda' else {'CUDA_VISIBLE_DEVICES': ''}
    return {**os.environ, **visible, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': paths}


def _stop(running: Sequence[_Running]) -> None:
    """Stops all trainings, and waits for them."""
    for each in running:
        if each.process.poll() is None:
            each.stopped = True
            each.process.terminate()
    for each in running:
        try:
            each.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors='replace').splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), 'no output')


def read_classifier(work_dir: Path) -> dict[str, Any]:
    """The accuracy of a classifier in percent, after its last epoch and after every one."""
    record = read_backbone_record(work_dir / 'backbone.json')
    curves = read_curves(work_dir)
    return {
        'epochs': record.epoch,
        'accuracy': record.accuracy,
        'top1 by epoch': [value for _, value in curves.get('accuracy/top1', [])],
        'sha256': record.sha256,
    }
