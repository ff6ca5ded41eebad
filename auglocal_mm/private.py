"""What MMEngine, MMDetection, PyTorch and Python give no public access to: read here alone, and never written.

A new release may rename any of it, without a word in its changelog; then this is the file to look at.
"""

import os
import sys
import threading
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING

import torch._functorch.config
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

if TYPE_CHECKING:  # classifiers need nothing of MMDetection
    from mmdet.datasets.api_wrappers import COCO
    from mmdet.evaluation import CocoMetric


def base_paths(path: str) -> list[str]:
    """The files that the config ``path`` names in ``_base_``.

    ``Config.fromfile`` opens them at once, and waits forever where one is a pipe: they must be known before.
    """
    return [os.fspath(Config._get_cfg_path(name, path)[0]) for name in Config._get_base_files(path)]


def metric_annotations(metric: 'CocoMetric') -> 'COCO | None':
    """The annotations by which MMDetection's metric evaluates; ``None`` where it takes those of the data set.

    The metric keeps no path of their file from which they could be read again.
    """
    return metric._coco_api


def checkpoint_to_load(runner: Runner) -> tuple[bool, str | None]:
    """Whether the runner will resume, and the checkpoint that it will load; ``None`` if it is to find the latest one.

    Its config has them only if the runner was built from one.
    """
    return runner._resume, runner._load_from


def accumulates_gradients(wrapper: OptimWrapper) -> bool:
    """Whether a wrapper updates its parameters once for several iterations."""
    return wrapper._accumulative_counts > 1


def activation_memory_budget(share: float) -> AbstractContextManager[None]:
    """Graphs that :func:`torch.compile` builds within save this share of the activations that they would save."""
    return torch._functorch.config.patch(activation_memory_budget=share)


def main_thread_frame() -> FrameType | None:
    """What the main thread of this process executes."""
    return sys._current_frames().get(threading.main_thread().ident or 0)
