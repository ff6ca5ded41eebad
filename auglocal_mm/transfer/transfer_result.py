"""The result of one detector, read from the work_dir of its training or test run."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_log import Evaluation, ap_points, last_evaluation
from auglocal_mm.transfer.evaluation_record import NAME, Evaluations, read_evaluations
from auglocal_mm.transfer.pretraining import Pretraining, read_pretraining
from auglocal_mm.transfer.recorded_matches import MatchesRecord
from auglocal_mm.transfer.run_config import RunConfig, read_run_config


@dataclass(frozen=True)
class TransferResult:
    """One detector.

    Attributes:
        work_dir: Its folder.
        evaluation: The last one.
        config: The settings.
        pretraining: Of its backbone.
        matches: What AP was computed from; ``None`` if that was not recorded.
        training: What identifies its training; ``None`` if that was not recorded.
        seed: Of its training; ``None`` if unknown.
        changed: Dotted keys of the settings that were changed when its training was resumed, as far as that was recorded.
    """

    work_dir: Path
    evaluation: Evaluation
    config: RunConfig
    pretraining: Pretraining
    matches: MatchesRecord | None = None
    training: str | None = None
    seed: int | None = None
    changed: Sequence[str] = ()


def read_work_dir(work_dir: str | os.PathLike[str]) -> TransferResult:
    """Reads the work_dir of a detector that MMEngine's Runner trained or tested: ``evaluation.json``, or else its logs.

    Raises:
        InputError: It does not exist, has no COCO evaluation or no config, has those of several trainings, or only the best
            checkpoint was tested.
    """
    path = Path(work_dir)
    if not path.is_dir():
        raise InputError(f'the work_dir {path} does not exist; give the folder that the training of the detector wrote')
    recorded = read_evaluations(path)
    return _logged(path) if recorded is None else _recorded(path, recorded)


def _recorded(work_dir: Path, recorded: Evaluations) -> TransferResult:
    run: Literal['validation', 'test'] = 'validation' if recorded.validation else 'test'
    record, source = recorded.validation or recorded.test, work_dir / NAME
    if record is None:
        raise InputError(f'{work_dir} has no evaluation on COCO yet; continue the training, or run tools/test.py')
    if record.checkpoint:
        _refuse_best(record.checkpoint, source)
    evaluation = Evaluation(ap_points(record.metrics, source), record.epoch, run, source, record.iteration)
    training = record.training.model_dump(exclude_unset=True) if record.training else {}
    pretraining = Pretraining(training.get('backbone'), training.get('pretraining') or {})
    config = RunConfig(source, record.settings)
    seed = training.get('seed', _seed(config) if record is recorded.validation else None)
    identity, changed = training.get('id'), training.get('changed', ())
    return TransferResult(work_dir, evaluation, config, pretraining, record.matches, identity, seed, changed)


def _logged(work_dir: Path) -> TransferResult:
    """The result of a work_dir without ``evaluation.json``, from the files that MMEngine writes."""
    evaluation = last_evaluation(work_dir)
    config = read_run_config(work_dir, work_dir / evaluation.source.relative_to(work_dir).parts[0])
    if evaluation.run == 'test':
        tested = str(config.get('load_from') or '')
        _refuse_best(tested, evaluation.source)
        epoch = re.fullmatch(r'epoch_(\d+)\.pth', Path(tested).name)
        evaluation = replace(evaluation, epoch=int(epoch[1]) if epoch else None)
        trained = replace(config, values={**config.values, 'load_from': None})
        return TransferResult(work_dir, evaluation, config, read_pretraining(trained, work_dir))
    return TransferResult(work_dir, evaluation, config, read_pretraining(config, work_dir), seed=_seed(config))


def _seed(config: RunConfig) -> int | None:
    """Of a training by its config; that of a test run has a seed of its own."""
    seed = config.get('randomness.seed')
    return seed if isinstance(seed, int) else None


def _refuse_best(checkpoint: str, source: Path) -> None:
    name = Path(checkpoint).name
    if name.startswith('best_'):
        raise InputError(f'{source} tested {name}, expected the last checkpoint, not the best; test epoch_N.pth')
