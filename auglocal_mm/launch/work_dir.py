"""A work_dir belongs to one stage: what can be resumed there, and which files are kept."""

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import remove_leftovers
from auglocal_mm.files.lock import locked
from auglocal_mm.files.run_record import SUFFIXES, may_overwrite, read_record

PATIENCE = 10
"""Seconds for an earlier training, stopped a moment ago, to end."""
RESULTS = ('*.pth', '*/*.json', '*/vis_data/*.json')
"""What trainings and tests leave in a work_dir once they have begun: checkpoints, tests and curves."""


@dataclass(frozen=True)
class Stage:
    """What is trained in a work_dir.

    Attributes:
        task: Type of the model, such as ``ImageClassifier`` or ``MaskRCNN``.
        backbone: Type of the backbone and, where it has one, its depth or name.
        method: Type of the auxiliary heads, or ``BP``.
    """

    task: str
    backbone: str
    method: str

    @classmethod
    def of(cls, config: Mapping[str, Any] | Config) -> 'Stage':
        """The stage that ``config``, or the record of one, trains."""
        model = _part(config.get('model'))
        backbone, heads = _part(model.get('backbone')), _part(model.get('auxiliary_heads'))
        variant = backbone.get('depth', backbone.get('name'))
        return cls(
            _class_name(model.get('type')),
            _class_name(backbone.get('type')) + ('' if variant is None else f'-{variant}'),
            _class_name(heads['type']) if 'type' in heads else 'BP',
        )

    def __str__(self) -> str:
        return f'{self.task} on {self.backbone} by {self.method}'

    def is_same(self, other: 'Stage') -> bool:
        """Whether both are one, however their configs name the classes: ``mmdet.ResNet``, ``ResNet`` or imported."""
        return _without_scopes(str(self)) == _without_scopes(str(other))


def check_work_dir(work_dir: str, config: Config) -> None:
    """Makes sure that ``work_dir`` is free or holds earlier runs of the same stage.

    MMEngine leaves each run's config there, and would resume one stage from the other's checkpoint.

    Raises:
        InputError: Another stage was trained there.
    """
    stage = Stage.of(config)
    for path in sorted(path for path in Path(work_dir).glob('*.*') if path.suffix in SUFFIXES and path.is_file()):
        there = read_record(path)
        if there is None or 'model' not in there:
            continue
        other = Stage.of(there)
        if not stage.is_same(other):
            raise InputError(
                f'the work_dir {work_dir} belongs to another stage ({path.name}: {other}; now: {stage}); '
                'choose another one with --work-dir, or delete it if nothing of that training is to be kept'
            )


def keep_users_config(config: Config) -> Config:
    """Keeps the runner from overwriting the user's files when it records ``config`` in its work_dir.

    MMEngine writes the record under the name of the config file, over whatever has that name.

    Returns:
        The config, renamed to ``<name>_1`` and so on if anything but an earlier record has that name.
    """
    if not config.filename:
        return config
    own = Path(config.filename)
    others = (f'{own.stem}_{number}{own.suffix}' for number in itertools.count(1))
    paths = (Path(config.work_dir, name) for name in itertools.chain([own.name], others))
    record = next(path for path in paths if path.resolve() != own.resolve() and may_overwrite(path))
    if record.name == own.name:
        return config
    return Config(config.to_dict(), cfg_text=config.text, filename=record, env_variables=config.env_variables)


def _part(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _class_name(value: Any) -> str:
    """The name of a class, given as such, by its name and scope (``mmdet.ResNet``), or by its module and name."""
    name = value.__name__ if isinstance(value, type) else str(value)
    return name.rpartition('.')[2] if name.count('.') > 1 else name


def _without_scopes(text: str) -> str:
    return re.sub(r'\w+\.(?=\w)', '', text)


@contextmanager
def own_work_dir(work_dir: str, config_file: str | Path | None = None) -> Iterator[None]:
    """Locks ``work_dir`` against a second training, whose logs and checkpoints would mix with those of the first.

    Of several processes of one training, the first holds the lock for all. A start that fails, as where data are missing, does
    not claim the folder for its stage.

    Args:
        work_dir: The folder.
        config_file: The runner records its config under the name of this file; if there are no results when it fails, the
            record is removed.

    Raises:
        InputError: Another training is running there, or the folder cannot be created.
    """
    try:
        Path(work_dir).mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f'the work_dir {work_dir} cannot be created ({error.strerror}); choose another one') from error
    with locked(Path(work_dir) / '.lock', wait=PATIENCE) as lock:
        if lock is None:
            raise InputError(f'another training is running in {work_dir}; wait for it, or choose another --work-dir')
        remove_leftovers(Path(work_dir), '*.pth')
        try:
            yield
        except BaseException:
            if config_file and not any(any(Path(work_dir).glob(pattern)) for pattern in RESULTS):
                Path(work_dir, Path(config_file).name).unlink(missing_ok=True)
            raise
