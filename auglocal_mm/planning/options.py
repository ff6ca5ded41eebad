"""Command-line options that the planners and the benchmark share."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.analysis.trained_model import read_config
from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs.candidates import HEADS
from auglocal_mm.settings.cfg_options import CfgOptions


def add_options(parser: argparse.ArgumentParser, heads: Sequence[str]) -> None:
    """Adds the options that change the config, the kinds of heads, by default ``heads``, and the folder for the report."""
    parser.add_argument('--batch-size', type=int, help="images in an iteration; default: the config's")
    parser.add_argument('--image-size', type=int, help="default: the config's model.image_size, or 224")
    parser.add_argument('--amp', action='store_true', help='bfloat16 forward passes')
    parser.add_argument(
        '--heads',
        nargs='+',
        default=heads,
        choices=HEADS,
        help='types of auxiliary heads that plans choose from: AugLocalHead with the settings of the config, others with their '
        f'defaults; default: {" ".join(heads)}',
    )
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for the report')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='override settings of the config')


def add_depths(parser: argparse.ArgumentParser) -> None:
    """Adds the range of depths of AugLocal's heads."""
    for name, default in (('minimum', 2), ('maximum', 5)):
        text = f'{name} depth d of AugLocal heads; default: %(default)s'
        parser.add_argument(f'--{name[:3]}-depth', type=int, default=default, help=text)


def check_depths(options: argparse.Namespace) -> None:
    """Checks the range of depths.

    Raises:
        InputError: It is empty, or below 2.
    """
    if not 2 <= options.min_depth <= options.max_depth:
        raise InputError(
            f'--min-depth is {options.min_depth} and --max-depth {options.max_depth}; expected 2 <= min-depth <= max-depth'
        )


def check_out(out: Path) -> None:
    """Checks the folder for the report, before minutes of work.

    Raises:
        InputError: It cannot be written.
    """
    folder = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f'--out is {out}, but {folder} is not a writable folder; give another one')


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """The changes that the command line makes to the config, by dotted key."""
    given = dict(options.cfg_options or {})
    if options.batch_size is not None:
        given['train_dataloader.batch_size'] = options.batch_size
    if options.image_size is not None:
        given['model.image_size'] = options.image_size
    if options.amp:
        given |= {'optim_wrapper.type': 'auglocal_mm.AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'}
    return given


def read_training(path: str, given: Mapping[str, Any]) -> Config:
    """The config with the changes of the command line."""
    config = read_config(path, given)
    config.model.setdefault('image_size', 224)
    return config
