"""Runs trainings as processes, each on one CPU thread and with a progress bar."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

REPOSITORY = Path(__file__).resolve().parents[2]
STEP = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\]')


class StageError(Exception):
    """A training ended with an error; the message names it and the reason."""


@dataclass(frozen=True)
class Stage:
    """One training by ``tools/train.py``.

    Attributes:
        title: Title of its progress bar.
        config: Path of the config in the repository.
        seed: Random seed of one of several trainings; ``None`` for that of the config.
    """

    title: str
    config: str
    seed: int | None = None

    @property
    def work_dir(self) -> Path:
        """The folder of logs, checkpoints and the backbone."""
        folder = Path('work_dirs', Path(self.config).stem)
        return folder if self.seed is None else folder / f'seed_{self.seed}'

    @property
    def options(self) -> list[str]:
        """Of ``tools/train.py``."""
        if self.seed is None:
            return []
        return ['--work-dir', str(self.work_dir), '--cfg-options', f'randomness.seed={self.seed}']


def run_stages(lanes: Sequence[Sequence[Stage]], console: Console) -> None:
    """Runs the lanes in parallel, and the stages of a lane in sequence.

    Raises:
        StageError: A stage failed. The others are stopped, and resume next time.
    """
    columns = TextColumn('{task.description}'), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    running: set[subprocess.Popen[str]] = set()
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(len(lanes)) as pool:
        futures = [pool.submit(_run_lane, lane, progress, running) for lane in lanes]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
        finally:
            for process in tuple(running):
                process.terminate()


def _run_lane(lane: Sequence[Stage], progress: Progress, running: set[subprocess.Popen[str]]) -> None:
    tasks = [progress.add_task(stage.title, start=False, total=1.0) for stage in lane]
    for stage, task in zip(lane, tasks, strict=True):
        progress.start_task(task)
        epochs = Config.fromfile(stage.config).train_cfg.max_epochs
        process = _start(stage)
        running.add(process)
        assert process.stdout is not None
        with open(stage.work_dir / 'output.log', 'w', buffering=1, encoding='utf-8') as log:
            for line in process.stdout:
                log.write(line)
                if step := STEP.search(line):
                    epoch, iteration, length = map(int, step.groups())
                    progress.update(task, completed=(epoch - 1 + iteration / length) / epochs)
        running.discard(process)
        if process.wait() != 0:
            raise StageError(_reason(stage, process.returncode))
        progress.update(task, completed=1.0)


def _start(stage: Stage) -> 'subprocess.Popen[str]':
    """Starts the public command with ``--resume``, so that finished work is not repeated."""
    stage.work_dir.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, 'tools/train.py', stage.config, '--resume', *stage.options],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _reason(stage: Stage, status: int) -> str:
    log = stage.work_dir / 'output.log'
    lines = [line for line in log.read_text(encoding='utf-8').splitlines() if line.strip()]
    output = f'{lines[-1] if lines else "no output"} (full output: {log})'
    if status < 0:
        how = f'was ended by {signal.Signals(-status).name}; run the same command again to resume'
        return f'{stage.title} {how}. Last output: {output}'
    return f'{stage.title} failed: {output}'
