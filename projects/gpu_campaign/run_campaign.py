"""Runs all stages of the campaign on a GPU, one after the other, each in its own process; a stopped one is resumed.

Every stage writes a JSON file after each row, with the GPU's name and all versions. A stage that has them all is skipped.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import stage
import torch
from report import write_reports
from stage import STAGES

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
GRACE = 20.0
"""Seconds between the end of a stage's time and the end of its process."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line.

    Raises:
        InputError: A number is out of range, the data are missing, or there is no GPU.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, help='folder with tiny_imagenet100 (or its .zip), cifar10 and coco_small')
    parser.add_argument('--out', type=Path, required=True, help='folder for the results')
    parser.add_argument('--work-dir', type=Path, help='folder for checkpoints and logs; default: OUT/work')
    parser.add_argument('--minutes', type=float, default=sum(STAGES.values()) / 60, help='for all stages together')
    parser.add_argument('--stages', nargs='+', choices=STAGES, default=list(STAGES), help='default: all')
    parser.add_argument('--miniature', action='store_true', help='everything as small as possible, also on a CPU')
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        raise InputError(f'--minutes is {options.minutes:g}; expected a number above 0')
    if not options.miniature and not torch.cuda.is_available():
        raise InputError('PyTorch finds no GPU; repair the driver, or give --miniature to see all stages on a CPU')
    if not options.miniature and options.data is None:
        raise InputError('--data is missing; give the folder with tiny_imagenet100, cifar10 and coco_small')
    if options.data is not None and not options.data.is_dir():
        raise InputError(f'--data is {options.data}, which is not a folder; correct it')
    return options


def is_complete(path: Path) -> bool:
    """Whether a stage has all its rows."""
    return path.is_file() and json.loads(path.read_text()).get('complete', False)


def run_stage(name: str, seconds: float, options: argparse.Namespace) -> int:
    """Runs one stage in its own process group, which is killed some seconds after its time; a miniature in this process."""
    work = options.work_dir or options.out / 'work'
    arguments = [name, '--out', str(options.out), '--work', str(work), '--seconds', f'{seconds:.0f}']
    arguments += ['--device', 'cuda' if torch.cuda.is_available() else 'cpu']
    arguments += ['--data', str(options.data.resolve())] if options.data else []
    if options.miniature:  # most of its time would be the imports of every process
        stage.main([*arguments, '--miniature'])
        return 0
    command = [sys.executable, str(HERE / 'stage.py'), *arguments]
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get('PYTHONPATH')])])
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONPATH': path}, start_new_session=True)
    try:
        return process.wait(timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        print(f'{name}: stopped after {seconds + GRACE:.0f} s', flush=True)
        return -signal.SIGKILL
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()  # its GPU memory is free for the next stage


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, runs the stages that are not complete, and writes their tables and figures."""
    options = parse_arguments(arguments)
    options.out, start = options.out.resolve(), time.monotonic()
    missing = [name for name in STAGES if name in options.stages and not is_complete(options.out / f'{name}.json')]
    failed = []
    for index, name in enumerate(missing):
        left = 60 * options.minutes - (time.monotonic() - start)
        share = STAGES[name] / sum(STAGES[each] for each in missing[index:])
        seconds = max(left * share, 1.0)
        print(f'{name}: at most {seconds:.0f} s', flush=True)
        if run_stage(name, seconds, options):
            failed.append(name)
    write_reports(options.out)
    if failed:
        raise InputError(f'{", ".join(failed)} did not end well; see the output above, and run the same command again')


if __name__ == '__main__':
    main()
