"""Data loaders without workers, for inspecting the data."""

from collections.abc import Mapping
from typing import Any

OF_WORKERS = ('persistent_workers', 'timeout', 'prefetch_factor', 'multiprocessing_context')
"""Settings that PyTorch refuses without workers."""


def in_process(loader: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a data loader, changed to run in this process."""
    return {**{key: value for key, value in loader.items() if key not in OF_WORKERS}, 'num_workers': 0}
