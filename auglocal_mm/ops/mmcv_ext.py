"""Stands at ``sys.modules['mmcv._ext']`` where mmcv has no compiled ops.

mmcv's loader asks for every op by name while ``mmcv.ops`` is imported, so each name must be there; only those of
``KERNELS`` do something. They are imported when first asked for, which keeps ``import auglocal_mm`` free of torch.
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
    if name.startswith('_'):  # no op: Python itself asks modules for such names, and needs a truthful answer
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name in KERNELS:
        return getattr(importlib.import_module(KERNELS[name]), name)
    return functools.partial(refuse_op, name)
