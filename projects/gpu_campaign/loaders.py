"""Settings that all data loaders of a training share, as options by dotted key."""

from pathlib import Path
from typing import Any

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IN_MEMORY = {f'{loader}.dataset.in_memory': True for loader in LOADERS}
"""Images are read and decoded once."""
IN_PROCESS = {
    f'{loader}.{key}': value for loader in LOADERS for key, value in (('num_workers', 0), ('persistent_workers', False))
}
"""No data workers, which take longer to start than a tiny training."""


def data_root(folder: Path) -> dict[str, Any]:
    """Reads all images from ``folder``."""
    return {f'{loader}.dataset.data_root': str(folder) for loader in LOADERS}
