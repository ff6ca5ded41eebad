"""Puts the stand-in where mmcv looks for its compiled ops."""

import importlib.util
import sys
from importlib.machinery import PathFinder


def provide_mmcv_ops() -> None:
    """Makes ``import mmcv.ops``, and thereby ``import mmdet``, work where mmcv was installed without compiled ops.

    Call it before ``mmcv.ops`` is first imported; ``import auglocal_mm`` does. A compiled ``mmcv._ext`` always wins,
    and whatever stands at ``sys.modules['mmcv._ext']`` already is left alone, so a second call changes nothing.
    """
    if 'mmcv._ext' in sys.modules or _has_compiled_ops():
        return
    from auglocal_mm.ops import mmcv_ext

    sys.modules['mmcv._ext'] = mmcv_ext


def _has_compiled_ops() -> bool:
    # Not find_spec('mmcv._ext'): that would import mmcv, a second's work for programs that never need it.
    mmcv = importlib.util.find_spec('mmcv')
    return mmcv is not None and PathFinder.find_spec('mmcv._ext', mmcv.submodule_search_locations) is not None
