"""What a checkpoint and the records beside it say about the training of its weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from auglocal_mm.files.atomic import is_there
from auglocal_mm.files.json_file import fit
from auglocal_mm.files.run_record import parse_record, read_record
from auglocal_mm.transfer.evaluation_record import read_evaluations, training_of
from auglocal_mm.transfer.run_config import RunConfig
from auglocal_mm.weights.backbone_file import sha256

ADVICE = 'give a checkpoint of a training with this project, or its weights alone'


class _DatasetMeta(BaseModel):
    classes: tuple[str, ...] = ()


class _Recorded(BaseModel):
    config_hash: str | None = None


class _Meta(BaseModel):
    """What is read of a checkpoint's ``meta``."""

    cfg: str = ''
    seed: int | None = None
    mmengine_version: str | None = None
    dataset_meta: _DatasetMeta | None = None
    auglocal_mm: _Recorded = _Recorded()


class Training:
    """The training of a checkpoint.

    Args:
        checkpoint: As :func:`auglocal_mm.weights.described_weights.read_described_weights` returns it.
        source: Its path.

    Attributes:
        config: Read as data; empty if it is not recorded.
        is_classifier: Whether it is that of an ``ImageClassifier``, by name: nothing that a checkpoint names is imported.
        seed: ``None`` if it is not recorded.
        mmengine_version: With which it ran; ``None`` if it is not recorded.
        classes: Their names; empty if they are not recorded.
        local_modules: Their number K; ``None`` if there are no heads, and no record of a classifier that needs none.
        checkpoint: With the accuracy that was validated later.

    Raises:
        InputError: A record is invalid.
    """

    def __init__(self, checkpoint: Mapping[str, Any], source: str) -> None:
        meta = fit(checkpoint.get('meta', {}), _Meta, f'meta of {source}', ADVICE)
        config = parse_record(meta.cfg) or _config_beside(source, meta.auglocal_mm.config_hash)
        self.config = RunConfig(Path(source), config or {})
        self.is_classifier = str(self.config.get('model.type')).split('.')[-1] == 'ImageClassifier'
        self.seed, self.mmengine_version = meta.seed, meta.mmengine_version
        self.classes = meta.dataset_meta.classes if meta.dataset_meta else ()
        self.local_modules = _local_modules(checkpoint.get('state_dict', checkpoint), self.is_classifier)
        self.checkpoint = _with_accuracy(checkpoint, source)


def _config_beside(source: str, config_hash: str | None) -> dict[str, Any] | None:
    """The config of this hash among the logs beside ``source``: an exported backbone does not contain its own."""
    logs = Path(source).parent.glob('*/vis_data/config.py')
    return next((read_record(path) for path in logs if is_there(path) and sha256(path) == config_hash), None)


def _local_modules(state: Mapping[str, Any], is_classifier: bool) -> int | None:
    """One for each auxiliary head, and the last."""
    found = (re.match(r'auxiliary_heads\.(\d+)\.', name) for name in state)
    heads = max((int(head[1]) + 1 for head in found if head), default=0)
    is_bp = is_classifier and any(name.startswith('backbone.') for name in state)
    return heads + 1 if heads or is_bp else None


def _with_accuracy(checkpoint: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The checkpoint with the accuracy of ``evaluation.json`` beside it, if that is of the same weights and has one.

    Checkpoints are written before they are validated.
    """
    meta = dict(checkpoint.get('meta', {}))
    recorded = fit(meta.get('auglocal_mm', {}), dict[str, Any], f'meta.auglocal_mm of {source}', ADVICE)
    evaluations, training = read_evaluations(Path(source).parent), training_of(meta, source)
    found = evaluations.validation if evaluations else None
    if found is None or training is None or found.training != training or found.iteration != meta.get('iter'):
        return dict(checkpoint)
    accuracy = {name: value for name, value in found.metrics.items() if name.startswith('accuracy')}
    measured = {'accuracy': accuracy, 'num_validation_images': found.num_images}
    return {**checkpoint, 'meta': {**meta, 'auglocal_mm': {**recorded, **measured}}}
