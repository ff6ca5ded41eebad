"""What all command-line tools share: reading the config with its overrides, safe loading, errors without a traceback."""

import argparse
import functools
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.hardware import keep_freed_memory
from auglocal_mm.launch.accidents import accident_message, all_processes_end, end, stop_signals
from auglocal_mm.launch.layer_parallel import set_up_layer_parallel
from auglocal_mm.launch.process_group import RANKS, join_processes
from auglocal_mm.launch.work_dir import keep_users_config
from auglocal_mm.models.classifiers import is_classifier
from auglocal_mm.runtime.compile import compile_settings
from auglocal_mm.settings.cfg_options import CfgOptions
from auglocal_mm.settings.config_checks import LOADERS
from auglocal_mm.settings.config_file import read_config_file

WAIT_FOR_BATCH = 600
"""Seconds to wait for a batch from the data workers, unless the config sets ``timeout``."""


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and testing share, named as in the OpenMMLab tools."""
    parser.add_argument('config', help='path of the config file, or name of a config of the package')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default: work_dirs/<name of the config>')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        help='override settings of the config, as key=value: model.head.num_classes=10 train_cfg.max_epochs=5',
    )
    parser.add_argument('--launcher', choices=('none', *RANKS), default='none', help='how the processes were started')
    # torchrun and torch.distributed.launch differ in how they hand over the local rank.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(arguments: argparse.Namespace, for_training: bool = False) -> Config:
    """Reads the config, applies the command line, and adapts it to this machine.

    Raises:
        InputError: As :func:`read_config_file`, or ``compile`` is not a valid setting of ``torch.compile``.
    """
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    config = read_config_file(arguments.config, arguments.cfg_options)
    compile_settings(config)  # MMEngine would fail on a wrong one only after everything is built
    config.launcher = arguments.launcher
    config.work_dir = arguments.work_dir or config.get('work_dir') or f'work_dirs/{Path(arguments.config).stem}'
    _log_by_iteration(config)
    if torch.cuda.is_available():
        _use_gpu(config)
    else:
        _use_cpu(config)
        keep_freed_memory()
    for loader in LOADERS:
        if (config.get(loader) or {}).get('num_workers'):
            config[loader].setdefault('timeout', WAIT_FOR_BATCH)
    join_processes(config)
    if for_training:
        set_up_layer_parallel(config)
    return keep_users_config(config)


def is_first_process(launcher: str) -> bool:
    """Whether this process writes files for all; known before the process group exists."""
    return launcher == 'none' or int(os.environ[RANKS[launcher]]) == 0


def _log_by_iteration(config: Config) -> None:
    """Logs validation by iteration if training counts iterations; MMEngine would log all of them at epoch 0."""
    loop, logger = config.get('train_cfg') or {}, config.get('default_hooks', {}).get('logger')
    if logger and (not loop.get('by_epoch', True) or 'IterBasedTrainLoop' in str(loop.get('type'))):
        logger.setdefault('log_metric_by_epoch', False)


def _use_gpu(config: Config) -> None:
    """Copies batches to the GPU while it computes, unless the config says otherwise; detectors are left unchanged."""
    if not is_classifier(config.get('model', {})):
        return
    for loader in LOADERS:
        if config.get(loader):
            config[loader].setdefault('pin_memory', True)
    preprocessor = config.model.get('data_preprocessor')
    if preprocessor:
        preprocessor.setdefault('non_blocking', True)


def _use_cpu(config: Config) -> None:
    """Lets several processes train without GPUs, which MMEngine assumes when it wraps the model."""
    config.merge_from_dict({'env_cfg.dist_cfg.backend': 'gloo'})
    if config.launcher == 'pytorch':
        wrapper = {'type': 'MMDistributedDataParallel', 'broadcast_buffers': False, 'device_ids': None}
        config.setdefault('model_wrapper_cfg', wrapper)


def command_line_tool(main: Callable[[Sequence[str] | None], None]) -> Callable[[Sequence[str] | None], None]:
    """Decorates the ``main`` of a tool.

    Checkpoints are loaded as plain data, whatever a library asks for. Bad input and
    killed or stopped processes end the program with a message on standard error and status 1, Ctrl-C and SIGTERM with 130
    and 143. The process group is destroyed at the end: threads of gloo that outlive it would abort the process.
    """

    @functools.wraps(main)
    def run(arguments: Sequence[str] | None = None) -> None:
        os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD'] = '1'
        warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
        try:
            with stop_signals(), all_processes_end():
                main(arguments)
        except (InputError, FileNotFoundError, OSError) as error:
            end(f'error: {_message(error)}', 1)
        except RuntimeError as error:
            message = accident_message(error)
            if message is None:
                raise
            end(f'error: {message}', 1)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    return run


def _message(error: Exception) -> str:
    """The message alone: errors of data workers arrive with the worker's traceback in front."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return (
            f'{error.filename} does not exist; correct the path in the config or the environment, or put the file there'
        )
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f'{error.filename} is a file, but a folder is needed; give another path'
    if isinstance(error, PermissionError) and error.filename:
        return f'{error.filename} cannot be opened ({error.strerror}); correct its permissions, or the path'
    text: Any = str(error)
    marker = f'{type(error).__name__}: '
    return text.rsplit(marker, 1)[-1].strip() if marker in text else text
