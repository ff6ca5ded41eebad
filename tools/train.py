"""Trains a classifier (by backpropagation or local learning) or a detector from a config."""

import argparse
import os
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from mmengine.config import Config
from mmengine.runner import Runner

import auglocal_mm  # noqa: F401  (provides mmcv's operators before MMDetection asks for them)
from auglocal_mm.analysis.isolation import check_run
from auglocal_mm.engine.checkpoint import begin_anew, latest_checkpoint
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import add_common_arguments, command_line_tool, is_first_process, load_config
from auglocal_mm.launch.work_dir import check_work_dir, own_work_dir
from auglocal_mm.settings.schedules import warn_of_schedules


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, by default from the newest one of the work_dir',
    )
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision, in bfloat16 if the device supports it'
    )
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the actual batch size')
    parser.add_argument(
        '--check',
        action='store_true',
        help='print the partition, check gradient isolation on one batch, and exit without training',
    )
    return parser.parse_args(arguments)


def apply_arguments(config: Config, arguments: argparse.Namespace) -> None:
    """Writes the options of the command line into ``config``."""
    if arguments.amp:
        emulated = torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False)
        half = 'float16' if emulated else 'bfloat16'
        config.optim_wrapper.type = 'auglocal_mm.AmpOptimWrapper'
        config.optim_wrapper.setdefault('dtype', half)
    if arguments.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            raise InputError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config; add it')
        config.auto_scale_lr.enable = True
    resume = arguments.resume or ('auto' if config.get('resume') and not config.get('load_from') else None)
    if os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') != '0':  # torchrun has started it again
        resume = latest_checkpoint(config.work_dir, _out_dir(config)) or resume
    if resume:
        found = latest_checkpoint(config.work_dir, _out_dir(config)) if resume == 'auto' else resume
        config.resume = found is not None  # MMEngine would follow any path in last_checkpoint
        config.load_from = found or config.get('load_from')
        if found is None and is_first_process(config.launcher):
            print(f'--resume: {config.work_dir} has no checkpoint; the training starts from the beginning', flush=True)


def _out_dir(config: Config) -> str | None:
    return config.get('default_hooks', {}).get('checkpoint', {}).get('out_dir')


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    config = load_config(options, for_training=not options.check)
    apply_arguments(config, options)
    if options.check:
        check_run(config)
        warn_of_schedules(config)
        return
    check_work_dir(config.work_dir, config)
    first = is_first_process(config.launcher)
    with own_work_dir(config.work_dir, config.filename) if first else nullcontext():
        if first and os.environ.get('TORCHELASTIC_MAX_RESTARTS', '0') != '0':  # torchrun may start it again
            source = config.load_from if config.get('resume') else None
            if source != latest_checkpoint(config.work_dir, _out_dir(config)):
                begin_anew(config.work_dir)
        runner = Runner.from_cfg(config)
        warn_of_schedules(config, len(runner.train_dataloader))  # into the log, which the runner has opened
        runner.train()


if __name__ == '__main__':
    main()
