"""``evaluation.json`` of a work_dir: evaluations, recorded when they are computed, with everything they depend on."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from auglocal_mm.files.atomic import is_there, write_json
from auglocal_mm.files.json_file import Count, fit, read_json
from auglocal_mm.weights.backbone_record import BackboneRecord

NAME = 'evaluation.json'


class _Record(BaseModel):
    model_config = ConfigDict(extra='forbid', strict=True)


class TrainingRecord(_Record):
    """A training, identified across its resumes, and the backbone it started from.

    Attributes:
        id: A random identifier of the training.
        backbone: File of the pretrained backbone, as the config names it; ``None`` if it names none.
        pretraining: The backbone's record; ``None`` if it has none.
    """

    id: str
    backbone: str | None
    pretraining: BackboneRecord | None


class EvaluationRecord(_Record):
    """One evaluation.

    Attributes:
        training: The training of the weights; ``None`` if their checkpoint does not give it.
        epoch: The epoch of the weights; ``None`` if it is unknown or the training counts iterations.
        iteration: The iteration of the weights; ``None`` if it is unknown.
        checkpoint: The checkpoint that was tested; ``None`` during training.
        metrics: All metrics, as the evaluator returns them.
        settings: The full config of the run that evaluated.
    """

    training: TrainingRecord | None
    epoch: Count | None
    iteration: Count | None
    checkpoint: str | None
    metrics: dict[str, JsonValue]
    settings: dict[str, JsonValue]


class Evaluations(_Record):
    """The last validation of a training and the last test run; ``None`` while there is none."""

    validation: EvaluationRecord | None = None
    test: EvaluationRecord | None = None


def read_evaluations(work_dir: str | Path) -> Evaluations | None:
    """Reads the evaluations of a work_dir; ``None`` if none were recorded.

    Raises:
        InputError: The file is damaged.
    """
    path = Path(work_dir, NAME)
    advice = 'remove the file, and evaluate again with tools/test.py'
    return read_json(path, Evaluations, advice) if is_there(path) else None


def write_evaluations(work_dir: str | Path, evaluations: Evaluations) -> None:
    """Writes the evaluations of a work_dir atomically."""
    write_json(Path(work_dir, NAME), evaluations.model_dump(exclude_unset=True))


def training_of(meta: Any, source: str) -> TrainingRecord | None:
    """The training that a checkpoint's ``meta`` names; ``None`` if it names none.

    Raises:
        InputError: The entry is malformed.
    """
    found = meta.get('training') if isinstance(meta, dict) else None
    return (
        None if found is None else fit(found, TrainingRecord, f'meta.training of {source}', 'give another checkpoint')
    )
