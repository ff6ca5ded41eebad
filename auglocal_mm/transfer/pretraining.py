"""The pretraining of the backbone that a detector started from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglocal_mm.files.atomic import is_there
from auglocal_mm.transfer.run_config import RunConfig
from auglocal_mm.weights.backbone_record import read_own_record

KEPT_RECORD = 'pretraining.json'
"""The record of the backbone in the work_dir of a detector that has no ``evaluation.json``."""


@dataclass(frozen=True)
class Pretraining:
    """The checkpoint of a backbone and the record that its export wrote beside it.

    Attributes:
        checkpoint: As the config names it, also that of a whole detector; None if it names none.
        record: The JSON of the same stem (``backbone.pth`` -> ``backbone.json``); empty if there is none.
    """

    checkpoint: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str | None:
        """What tells the weights from others: the SHA-256 of their file, or its name if that was not recorded."""
        return self.record.get('sha256') or self.checkpoint

    @property
    def method(self) -> str | None:
        """The pretraining method, such as ``AugLocalHead``."""
        return self.record.get('method')

    @property
    def top1(self) -> float | None:
        """The top-1 accuracy of the pretraining, in percent."""
        return (self.record.get('accuracy') or {}).get('accuracy/top1')


def read_pretraining(config: RunConfig, work_dir: Path) -> Pretraining:
    """Reads the record of ``model.backbone.init_cfg.checkpoint``, unless ``load_from`` replaces these weights.

    Args:
        config: The config of the detector's training.
        work_dir: The work_dir of that training. The copy of the record there is preferred, as the backbone may have been
            exported again since.

    Raises:
        InputError: The record is damaged.
    """
    start = config.get('load_from')
    if start and not config.get('resume'):
        return Pretraining(start)
    given = config.get('model.backbone.init_cfg')
    parts = [part for part in (given if isinstance(given, list) else [given]) if isinstance(part, dict)]
    checkpoint = next((part['checkpoint'] for part in parts if 'checkpoint' in part), None)
    if not isinstance(checkpoint, str):
        return Pretraining()
    places = (work_dir / KEPT_RECORD, Path(checkpoint).with_suffix('.json'))
    path = next(filter(is_there, places), None)
    if path is None:
        return Pretraining(checkpoint)
    return Pretraining(checkpoint, read_own_record(path).model_dump(exclude_unset=True))
