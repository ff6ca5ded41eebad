"""The dry run of ``tools/train.py --check`` on a detector: checks its data and summarises them."""

import sys
from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from rich.console import Console

from auglocal_mm.analysis.annotation_table import Reading, read_annotations, read_dataset, to_table
from auglocal_mm.datasets.in_process import in_process
from auglocal_mm.datasets.wrappers import inner_datasets
from auglocal_mm.engine.hooks.data_check_hook import check_training_data
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation import CocoMetric


def check_annotations(config: Config, model: Any) -> None:
    """Builds the data and the evaluator of a detector, checks them as training does, and prints a summary.

    Raises:
        InputError: The data are refused, or contain no annotated objects.
    """
    batches = _batches(config.train_dataloader)
    first = next(inner_datasets(batches.dataset))
    if not hasattr(first, 'get_data_info'):
        raise InputError(
            f'--check got a {type(model).__name__}, expected a classifier that AugLocal can partition or a detector; give '
            'a config of configs/auglocal, configs/bp or their benchmarks'
        )
    validation = _validation(config)
    classes = first.metainfo['classes']
    check_training_data(batches, model, validation)
    next(iter(batches))  # the pipeline runs
    readings = [read_dataset('training', batches.dataset)]
    if validation is not None:
        dataset, evaluator = validation
        readings.append(read_dataset('validation', dataset))
        for metric in evaluator.metrics:
            if isinstance(metric, CocoMetric) and metric.annotations:
                readings.append(read_annotations('evaluator', metric.annotations, classes))
    _print(readings, classes)


def _batches(loader: dict[str, Any]) -> Any:
    return Runner.build_dataloader(in_process(loader))


def _validation(config: Config) -> tuple[Any, Evaluator] | None:
    if not config.get('val_dataloader'):
        return None
    return _batches(config.val_dataloader).dataset, Evaluator(config.val_evaluator)


def _print(readings: list[Reading], classes: list[str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(to_table(readings, classes))
    for reading in readings:
        for note, count in reading.notes.items():
            console.print(f'{reading.name}: {count} {note}.', highlight=False)
    console.print('All checks passed.' if not any(each.notes for each in readings) else 'All other checks passed.')
