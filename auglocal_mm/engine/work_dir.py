"""A work_dir belongs to one stage: what may be resumed there, and from which file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError


@dataclass(frozen=True)
class Stage:
    """What a work_dir holds the training of.

    Attributes:
        task: Type of the model, such as ``ImageClassifier`` or ``MaskRCNN``.
        backbone: Type and depth, or name, of the backbone.
        method: Type of the auxiliary heads, or ``BP``.
    """

    task: str
    backbone: str
    method: str

    @classmethod
    def of(cls, config: Config) -> 'Stage':
        """The stage that ``config`` trains."""
        model = config.get('model', {})
        backbone = model.get('backbone', {})
        heads: dict[str, Any] | None = model.get('auxiliary_heads')
        return cls(
            str(model.get('type')),
            f'{backbone.get("type")}-{backbone.get("depth", backbone.get("name"))}',
            str(heads['type']) if heads else 'BP',
        )

    def __str__(self) -> str:
        return f'{self.task} on {self.backbone} by {self.method}'


def check_work_dir(work_dir: str, config: Config) -> None:
    """Makes sure that ``work_dir`` is free or holds earlier runs of the same stage.

    MMEngine leaves each run's config there, and would resume one stage from the other's checkpoint.

    Raises:
        InputError: Another stage was trained there.
    """
    stage = Stage.of(config)
    for path in sorted(Path(work_dir).glob('*.py')):
        other = Stage.of(Config.fromfile(path, import_custom_modules=False))
        if other != stage:
            raise InputError(
                f'the work_dir {work_dir} belongs to another stage ({path.name}: {other}; now: {stage}); '
                'choose another one with --work-dir'
            )
