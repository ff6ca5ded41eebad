"""Runs the full pipeline on handwritten digits: pretrains by BP and by AugLocal, transfers both, compares them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from make_data import make_data
from rich.console import Console
from stages import REPOSITORY, Stage, StageError, run_stages

CONFIGS = 'projects/digits_demo/configs'
BP = Stage('ResNet-34 by BP', f'{CONFIGS}/resnet34_bp_digits.py')
AUGLOCAL = Stage('ResNet-34 by AugLocal', f'{CONFIGS}/resnet34_auglocal-d2_digits.py')
SEEDS = (0, 1, 2)
"""Of the detectors. Those of a name share a backbone."""
DETECTORS = {
    name: [
        Stage(f'Mask R-CNN from {start}, seed {seed}', f'{CONFIGS}/mask-rcnn_r34-{config}_digits.py', seed)
        for seed in SEEDS
    ]
    for name, start, config in (
        ('BP', 'BP', 'bp'),
        ('AugLocal', 'AugLocal', 'auglocal-d2'),
        ('random', 'random weights', 'random'),
    )
}
COMPARISON = Path('work_dirs/digits_comparison')
STOPPED = 'stopped; run the same command again to resume'
MIN_TOP1 = 95.0  # percent of the held-out digits
MIN_BOX_AP50 = 30.0  # points


def main() -> None:
    """Runs every stage that an earlier demo did not finish; exits with status 1 if a level is missed."""
    os.chdir(REPOSITORY)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))  # ends the trainings too
    console = Console(soft_wrap=True)
    start = time.monotonic()
    data = Path(os.environ.get('DIGITS', 'data/digits'))
    make_data(data)
    console.print(f'Digits and scenes are in {data}. Running two trainings at a time, on one thread each.')
    try:
        first, *others = DETECTORS['random']
        run_stages([[AUGLOCAL, *DETECTORS['AugLocal'], first], [BP, *DETECTORS['BP'], *others]], console)
    except StageError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    compare()
    console.print(f'Backbones: {BP.work_dir}/backbone.pth and {AUGLOCAL.work_dir}/backbone.pth.')
    console.print(f'Done in {(time.monotonic() - start) / 60:.1f} minutes.')
    if missed := missed_levels():
        sys.exit('error: ' + '; '.join(missed))


def compare() -> None:
    """Prints the comparison and writes it to ``COMPARISON``."""
    groups = [f'{name}={",".join(str(stage.work_dir) for stage in stages)}' for name, stages in DETECTORS.items()]
    command = ['tools/analysis_tools/compare_transfer.py', *groups, '--title', 'Transfer to scenes of digits']
    subprocess.run([sys.executable, *command, '--html', '--out', str(COMPARISON)], check=True)


def missed_levels() -> list[str]:
    """The levels that were missed, as sentences."""
    missed = []
    for stage in (BP, AUGLOCAL):
        top1 = json.loads((stage.work_dir / 'backbone.json').read_text())['accuracy']['accuracy/top1']
        if top1 < MIN_TOP1:
            missed.append(f'{stage.title} reached {top1:.1f} % top-1, expected {MIN_TOP1} % or more')
    names = json.loads((COMPARISON / 'comparison.json').read_text())['names']
    box_ap50 = {name: names[name]['metrics']['bbox_mAP_50']['mean'] for name in DETECTORS}
    for name in ('BP', 'AugLocal'):
        level = max(MIN_BOX_AP50, box_ap50['random'])
        if box_ap50[name] < level:
            missed.append(f'Mask R-CNN from {name} reached box AP50 {box_ap50[name]:.1f}, expected {level:.1f} or more')
    return missed


if __name__ == '__main__':
    main()
