"""``evaluation.json`` of a work_dir: evaluations, recorded when they are computed, with everything they depend on."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from auglocal_mm.files.atomic import is_there, write_json
from auglocal_mm.files.json_file import Count, fit, read_json
from auglocal_mm.transfer.recorded_matches import MatchesRecord, remove_matches
from auglocal_mm.weights.backbone_record import BackboneRecord

NAME = 'evaluation.json'


class _Record(BaseModel):
    model_config = ConfigDict(extra='forbid', strict=True)


class TrainingRecord(_Record):
    """Identifies a training and what it started from; the same for all its resumes.

    Attributes:
        id: Random.
        backbone: File that the weights of the backbone are from, as the config names it: ``load_from``, or else
            ``model.backbone.init_cfg``; ``None`` if it names none.
        pretraining: The description of that file; ``None`` if it has none.
        seed: Of its random numbers; ``None`` in older records.
        changed: Dotted keys of the settings that were changed when it was resumed.
    """

    id: str
    backbone: str | None
    pretraining: BackboneRecord | None
    seed: int | None = None
    changed: list[str] = []


class EvaluationRecord(_Record):
    """One evaluation.

    Attributes:
        training: Of the weights; ``None`` if their checkpoint does not say.
        epoch: Of the weights; ``None`` if unknown, or in training by iterations.
        iteration: Of the weights; ``None`` if unknown.
        checkpoint: The tested checkpoint; ``None`` for a validation.
        num_images: That were evaluated; ``None`` in older records.
        metrics: All metrics, as the evaluator returns them.
        class_ap: AP of each class, from 0 to 1, by ``'bbox'`` or ``'segm'`` and its name; ``None`` if it has no instances.
        matches: What AP was computed from; ``None`` if that was not recorded.
        settings: The whole config of the run that evaluated.
    """

    training: TrainingRecord | None
    epoch: Count | None
    iteration: Count | None
    checkpoint: str | None
    num_images: Count | None = None
    metrics: dict[str, JsonValue]
    class_ap: dict[str, dict[str, float | None]] = {}
    matches: MatchesRecord | None = None
    settings: dict[str, JsonValue]


class Evaluations(_Record):
    """The last validation of a training and the last test run; ``None`` if there is none yet."""

    validation: EvaluationRecord | None = None
    test: EvaluationRecord | None = None


def read_evaluations(work_dir: str | Path) -> Evaluations | None:
    """Reads the evaluations of a work_dir; ``None`` if none were recorded.

    Raises:
        InputError: The file is damaged.
    """
    path = Path(work_dir, NAME)
    advice = 'evaluate again by tools/test.py, after removing the file'
    return read_json(path, Evaluations, advice) if is_there(path) else None


def write_evaluations(work_dir: str | Path, evaluations: Evaluations) -> None:
    """Writes the evaluations of a work_dir, whole or not at all, and removes the matches of earlier ones."""
    write_json(Path(work_dir, NAME), evaluations.model_dump(exclude_unset=True))
    kept = [each.matches for each in (evaluations.validation, evaluations.test) if each and each.matches]
    remove_matches(Path(work_dir), kept)


def training_of(meta: Any, source: str) -> TrainingRecord | None:
    """The training recorded in a checkpoint's ``meta``; ``None`` if there is none.

    Raises:
        InputError: The record is invalid.
    """
    found = meta.get('training') if isinstance(meta, dict) else None
    return None if found is None else fit(found, TrainingRecord, f'meta.training of {source}', 'use another checkpoint')
