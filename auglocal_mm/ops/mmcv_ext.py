"""The stand-in for ``mmcv._ext`` if mmcv has no compiled ops.

mmcv's loader looks up every op by name while ``mmcv.ops`` is imported, so each name must exist; of the ops only those of
``KERNELS`` are implemented, and imported on first use.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from auglocal_mm.ops.refusal import refuse_op

KERNELS = {
    'nms': 'auglocal_mm.ops.nms',
    'roi_align_forward': 'auglocal_mm.ops.roi_align',
    'roi_align_backward': 'auglocal_mm.ops.roi_align',
}


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith('_'):  # not an op: Python itself looks up such names in modules
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name in KERNELS:
        return getattr(importlib.import_module(KERNELS[name]), name)
    return functools.partial(refuse_op, name)


def get_compiler_version() -> str:
    """What mmcv itself reports for ops that are not compiled."""
    return 'n/a'


get_compiling_cuda_version = get_compiler_version
