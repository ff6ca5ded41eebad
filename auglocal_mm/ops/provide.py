"""Lets Python find the stand-in where mmcv looks for its compiled ops and has none."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

MMCV_EXT = Path(__file__).with_name('mmcv_ext.py')
SWITCH = 'AUGLOCAL_MMCV_OPS'


class StandInFinder(MetaPathFinder):
    """Finds ``mmcv._ext``. As the last finder it is asked only for what all others have not found, such as compiled ops."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Where the stand-in is; ``None`` for every other module."""
        if name != 'mmcv._ext' or os.environ.get(SWITCH) == '0':
            return None
        return spec_from_file_location(name, MMCV_EXT)


def provide_mmcv_ops() -> None:
    """Makes ``import mmcv.ops``, and with it ``import mmdet.models``, work with an mmcv without compiled ops.

    PyTorch calls it at the end of ``import torch`` where this package is installed (entry point ``torch.backends`` in
    ``setup.py``), as does ``import auglocal_mm``: both come before ``mmcv.ops`` asks for its ops. A second call changes
    nothing, and the environment variable ``AUGLOCAL_MMCV_OPS=0`` turns the stand-in off.
    """
    if not any(isinstance(finder, StandInFinder) for finder in sys.meta_path):
        sys.meta_path.append(StandInFinder())
