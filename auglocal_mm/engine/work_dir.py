"""A work_dir belongs to one stage: what may be resumed there, and from which file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.files import remove_leftovers
from auglocal_mm.lock import locked

PATIENCE = 10
"""Seconds for an earlier training, stopped a moment ago, to end."""


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
        try:
            there = Config.fromfile(path, import_custom_modules=False)
        except Exception as error:  # a config is a program: whatever it raises is its own
            raise InputError(f'{path}, left by an earlier run, cannot be read ({error}); remove it') from error
        other = Stage.of(there)
        if 'model' in there and other != stage:
            raise InputError(
                f'the work_dir {work_dir} belongs to another stage ({path.name}: {other}; now: {stage}); '
                'choose another one with --work-dir'
            )


@contextmanager
def own_work_dir(work_dir: str) -> Iterator[None]:
    """Keeps a second training out of ``work_dir``, where logs and checkpoints of both would mix.

    Of several processes of one training, the first has the lock for all.

    Raises:
        InputError: Another training is running there, or there can be no such folder.
    """
    try:
        Path(work_dir).mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f'the work_dir {work_dir} cannot be made ({error.strerror}); choose another one') from error
    with locked(Path(work_dir) / '.lock', wait=PATIENCE) as lock:
        if lock is None:
            raise InputError(f'another training is running in {work_dir}; wait for it, or choose another --work-dir')
        remove_leftovers(Path(work_dir), '*.pth')
        yield
