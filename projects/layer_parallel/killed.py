"""Kills processes of layer-parallel trainings at random moments, resumes them, and compares their ends with an undisturbed one.

Each training has three processes, each of which is killed in turn (SIGKILL): at any moment, or while a checkpoint is written.
The survivors must end by themselves within a minute. Then the training is resumed from its newest checkpoint.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitwise import Comparison, compare_trainings
from exactness_cases import CIFAR, OPTIONS, Case, copy_images, training_config
from pydantic import BaseModel
from rich.progress import track
from train_processes import Started, finish, start

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.benchmark.summary import Machine, machine
from auglocal_mm.engine.checkpoint import latest_checkpoint
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there, write_json
from auglocal_mm.files.json_file import Count, read_json
from auglocal_mm.files.scalar_log import read_lines
from auglocal_mm.launch.launch import command_line_tool

HERE = Path(__file__).parent
PROCESSES, ITERATIONS, INTERVAL = 3, 30, 5
"""Of each training: processes, iterations, and iterations between checkpoints."""
CHOSEN = ('accumulation', 'clipping', 'dropout', 'moving average')
LIMIT = 60.0
"""Seconds within which the survivors must end."""
BY_ITERATION = {
    'train_cfg': dict(_delete_=True, by_epoch=False, max_iters=ITERATIONS, val_interval=ITERATIONS // 2),
    'default_hooks.checkpoint': dict(by_epoch=False, interval=INTERVAL),
    'log_processor.by_epoch': False,
    'param_scheduler': dict(_delete_=True, type='CosineAnnealingLR', T_max=ITERATIONS, by_epoch=False),
    'train_dataloader.sampler.type': 'InfiniteSampler',
}


@dataclass(frozen=True)
class Kill:
    """What is done to a training.

    Attributes:
        rank: Of the process that is killed.
        writing: Whether it is killed while a checkpoint is written.
        moment: How far the training is then, from 0 to 1.
    """

    rank: int
    writing: bool
    moment: float


class Survivor(BaseModel):
    """A process that was not killed: seconds until it ended, its exit status, and what it said last.

    The status is ``None`` if it did not end by itself.
    """

    rank: Count
    seconds: float
    status: int | None
    said: str


class Killed(Comparison):
    """A training that was killed and resumed, compared with the undisturbed one.

    Attributes:
        rank: Of the process that was killed.
        writing: Whether a checkpoint was being written.
        unfinished: Whether a part of a checkpoint was left.
        iteration: The last one in the log.
        resumed_from: Iteration of the checkpoint from which it was resumed; 0 if there was none.
        survivors: The other processes.
    """

    rank: Count
    writing: bool
    unfinished: bool
    iteration: Count
    resumed_from: Count
    survivors: list[Survivor]

    @property
    def lost(self) -> int:
        """Number of iterations that had to be repeated."""
        return self.iteration - self.resumed_from


class Results(BaseModel):
    """The content of ``killed.json``."""

    machine: Machine
    seed: Count
    kills: list[Killed]


def draw_kills(number: int, seed: int) -> list[Kill]:
    """Kills of each process in turn, every second time round while a checkpoint is written."""
    generator = random.Random(seed)
    return [Kill(i % PROCESSES, i // PROCESSES % 2 == 1, generator.random()) for i in range(number)]


def start_training(config: Path, work_dir: Path) -> list[Started]:
    """Starts or resumes the training."""
    return start(config, work_dir, PROCESSES, '--resume', '--cfg-options', f'layer_parallel={PROCESSES}')


def undisturbed_seconds(config: Path, work_dir: Path) -> float:
    """Runs the training to its end, and returns how long it logs."""
    started = start_training(config, work_dir)
    wait_for_log(started, work_dir)
    begun = time.monotonic()
    finish(started)
    return time.monotonic() - begun


def wait_for_log(started: Sequence[Started], work_dir: Path) -> None:
    """Waits until the processes have joined and the first of them writes a log."""
    while not any(work_dir.glob('*/*.log')) and _all_run(started):
        time.sleep(0.01)


def run_kill(config: Path, whole: Path, work_dir: Path, kill: Kill, seconds: float) -> Killed | None:
    """Kills one process of a training, resumes the training, and compares it with the undisturbed one.

    Args:
        config: Of the training.
        whole: The work_dir of the undisturbed training.
        work_dir: A new one.
        kill: What is done.
        seconds: How long the undisturbed training takes.

    Returns:
        What happened; ``None`` if the training had ended already.
    """
    started = start_training(config, work_dir)
    wait_for_log(started, work_dir)
    wait_for_moment(started, work_dir, kill, seconds)
    if not _all_run(started):
        finish(started)
        return None
    started[kill.rank].process.kill()
    survivors = wait_for_survivors(started, kill.rank)
    found = {
        'rank': kill.rank,
        'writing': kill.writing,
        'unfinished': any(work_dir.glob('.iter_*.tmp')),
        'iteration': last_iteration(work_dir),
        'resumed_from': _iteration(latest_checkpoint(str(work_dir))),
        'survivors': survivors,
    }
    finish(start_training(config, work_dir))
    return Killed(**found, **compare_trainings(whole, work_dir, 'local/').model_dump())


def wait_for_moment(started: Sequence[Started], work_dir: Path, kill: Kill, seconds: float) -> None:
    """Waits until it is time to kill, or the training ends."""
    end = time.monotonic() + kill.moment * seconds
    checkpoint = INTERVAL * (1 + int(kill.moment * (ITERATIONS // INTERVAL)))
    pattern = f'.iter_{checkpoint}.pth.*.tmp'
    while _all_run(started) and not (any(work_dir.glob(pattern)) if kill.writing else time.monotonic() >= end):
        time.sleep(0.001)


def wait_for_survivors(started: Sequence[Started], killed: int) -> list[Survivor]:
    """Waits until all processes have ended, and kills those that do not."""
    begun, ends = time.monotonic(), {killed: 0.0}
    while len(ends) < len(started) and time.monotonic() - begun < LIMIT:
        for rank, each in enumerate(started):
            if each.process.exitcode is not None:
                ends.setdefault(rank, time.monotonic() - begun)
        time.sleep(0.01)
    survivors = []
    for rank, each in enumerate(started):
        if rank != killed:
            seconds, status = ends.get(rank, LIMIT), each.process.exitcode
            survivors.append(Survivor(rank=rank, seconds=round(seconds, 2), status=status, said=each.last_line))
        each.process.kill()
        each.process.join()
    return survivors


def last_iteration(work_dir: Path) -> int:
    """The last iteration in the log; 0 if there is none."""
    logs = work_dir.glob('*/vis_data/scalars.json')
    return max((line.step for log in logs for line in read_lines(log)), default=0)


def _iteration(checkpoint: str | None) -> int:
    return int(Path(checkpoint).stem.rpartition('_')[2]) if checkpoint else 0


def _all_run(started: Sequence[Started]) -> bool:
    return all(each.process.exitcode is None for each in started)


def table(kills: Sequence[Killed]) -> str:
    """A row for each process that was killed."""
    rows = []
    for rank in range(PROCESSES):
        own = [kill for kill in kills if kill.rank == rank]
        survivors = [each for kill in own for each in kill.survivors]
        counts = (len(own), sum(kill.writing for kill in own), sum(kill.unfinished for kill in own))
        slowest = max((each.seconds for each in survivors), default=0.0)
        lost = max((kill.lost for kill in own), default=0)
        different, values = sum(kill.different for kill in own), sum(kill.values for kill in own)
        rows.append(
            (str(rank), *map(str, counts), f'{slowest:.1f} s', str(lost), f'{different} of {values:,} different')
        )
    header = ('killed process', 'kills', 'while writing', 'unfinished files', 'last survivor ended after')
    return markdown_table((*header, 'iterations repeated, at most', 'end of training'), rows)


def check(kills: Sequence[Killed]) -> None:
    """Checks that nothing is lost but iterations since the last checkpoint.

    Raises:
        InputError: A training ended differently, a survivor did not end, or a checkpoint was lost.
    """
    for number, kill in enumerate(kills):
        wrong = {
            'the training ended differently': kill.different > 0,
            'a survivor did not end': any(each.status is None for each in kill.survivors),
            'a checkpoint was lost': kill.lost > INTERVAL,
        }
        if any(wrong.values()):
            raise InputError(f'after kill {number} {next(text for text, is_so in wrong.items() if is_so)}')


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, carries out the kills that have no results yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with train/<class>/ and val/<class>/')
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder of killed.json')
    parser.add_argument('--kills', type=int, default=20, help='their number')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    options = parser.parse_args(arguments)
    path = options.out / 'killed.json'
    kills = read_json(path, Results, 'restore or remove it').kills if is_there(path) else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_config(options.data, folder)
        seconds = undisturbed_seconds(config, folder / 'whole')
        for kill in track(draw_kills(options.kills, options.seed)[len(kills) :], description='killing'):
            while (found := run_kill(config, folder / 'whole', folder / 'killed', kill, seconds)) is None:
                shutil.rmtree(folder / 'killed')
            kills.append(found)
            shutil.rmtree(folder / 'killed')
            write_json(path, Results(machine=Machine(**machine('cpu')), seed=options.seed, kills=kills).model_dump())
    print(table(kills))
    check(kills)


def write_config(data: Path, folder: Path) -> Path:
    """Writes the config of the training to ``folder``, and copies its images there."""
    config = training_config(Case(CIFAR), copy_images(data, folder / 'images'))
    for settings in (*(OPTIONS[name] for name in CHOSEN), BY_ITERATION):
        config.merge_from_dict(settings)
    path = folder / 'config.py'
    config.dump(path)
    return path


if __name__ == '__main__':
    main()
