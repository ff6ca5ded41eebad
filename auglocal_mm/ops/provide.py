"""Installs the stand-in where mmcv looks for its compiled ops."""

import importlib.util
import sys
from importlib.machinery import PathFinder


def provide_mmcv_ops() -> None:
    """Makes ``import mmcv.ops``, and with it ``import mmdet``, work with an mmcv without compiled ops.

    Call it before ``mmcv.ops`` is first imported; ``import auglocal_mm`` does. A compiled ``mmcv._ext`` takes
    precedence, and an existing ``sys.modules['mmcv._ext']`` is kept, so that a second call changes nothing.
    """
    if 'mmcv._ext' in sys.modules or _has_compiled_ops():
        return
    from auglocal_mm.ops import mmcv_ext

    sys.modules['mmcv._ext'] = mmcv_ext


def _has_compiled_ops() -> bool:
    # Not find_spec('mmcv._ext'), which would import mmcv: that takes a second, and many programs do not need it.
    mmcv = importlib.util.find_spec('mmcv')
    return mmcv is not None and PathFinder.find_spec('mmcv._ext', mmcv.submodule_search_locations) is not None
