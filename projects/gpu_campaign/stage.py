"""Runs one stage of the campaign in this process: ``stage.py NAME ...``, as ``run_campaign.py`` starts it."""

import argparse
import importlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from campaign import Campaign, Rows
from mmengine.logging import MMLogger

STAGES = {
    'correctness': 120,
    'memory_and_time': 240,
    'speedups': 120,
    'tiny_imagenet': 480,
    'cifar10': 300,
    'coco': 240,
}
"""The stages in order of worth, with their shares of the time in seconds on an H100."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and runs the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name', choices=STAGES)
    parser.add_argument('--data', type=Path)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--device', choices=('cpu', 'cuda'), required=True)
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--miniature', action='store_true')
    options = parser.parse_args(arguments)
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # it would list the initialisation of every weight
    rows = Rows(options.out / f'{options.name}.json', options.device)
    start = time.monotonic()
    campaign = Campaign(options.data, options.work, options.device, options.miniature, start + options.seconds)
    importlib.import_module(options.name).run(campaign, rows)
    rows.note(seconds=rows.data.get('seconds', 0) + time.monotonic() - start, complete=campaign.seconds_left > 0)


if __name__ == '__main__':
    main()
