"""What every stage of the campaign gets: where the data are, how long it may take, and a file that keeps its rows."""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmdet
import mmengine
import torch
import torchvision

import auglocal_mm
from auglocal_mm.benchmark.summary import machine
from auglocal_mm.files.atomic import write_json


@dataclass(frozen=True)
class Campaign:
    """The settings of a campaign, as one stage sees them.

    Attributes:
        data: Folder with ``tiny_imagenet100``, ``cifar10`` and ``coco_small``.
        work: Folder for checkpoints and logs.
        device: ``'cuda'`` or ``'cpu'``.
        miniature: Whether everything is as small as possible, to see that all stages work.
        deadline: When the stage starts nothing new, as a value of ``time.monotonic()``.
    """

    data: Path
    work: Path
    device: str
    miniature: bool
    deadline: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


def versions() -> dict[str, Any]:
    """The versions that a result depends on."""
    packages = {module.__name__: module.__version__ for module in (torch, torchvision, mmengine, mmdet, auglocal_mm)}
    return {
        **packages,
        'python': platform.python_version(),
        'cuda': torch.version.cuda,
        'cudnn': torch.backends.cudnn.version(),
    }


class Rows:
    """The rows of one stage by name, written to its JSON file after each, with the machine and all versions.

    Args:
        path: The file. Rows that it has are kept, so that a stage goes on where it was stopped.
        device: ``'cuda'`` or ``'cpu'``.
    """

    def __init__(self, path: Path, device: str) -> None:
        self.path = path
        self.data = json.loads(path.read_text()) if path.is_file() else {'rows': {}}
        self.data.update(machine=machine(device), versions=versions(), complete=False)

    def __contains__(self, name: str) -> bool:
        return name in self.data['rows']

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.data['rows'][name]

    def add(self, name: str, row: Mapping[str, Any]) -> None:
        """Keeps a row, and writes the file."""
        self.data['rows'][name] = dict(row)
        write_json(self.path, self.data)
        print(f'{self.path.stem}: {name}: {json.dumps(row)[:300]}', flush=True)

    def note(self, **values: Any) -> None:
        """Keeps values of the whole stage beside its rows, and writes the file."""
        self.data.update(values)
        write_json(self.path, self.data)
