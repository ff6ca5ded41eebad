"""The configs and tools that come with the package, in the folder where mim and MMEngine look for them."""

import os
from pathlib import Path

PACKAGED = Path(__file__).parents[1] / '.mim'
CONFIGS, TOOLS = PACKAGED / 'configs', PACKAGED / 'tools'


def config_path(name: str) -> str:
    """The path of a config: ``name`` itself if there is such a file, else that of the packaged config of this name.

    Args:
        name: A path, or the name of a packaged config, with its folders: ``bp/NAME.py`` or ``configs/bp/NAME.py``.
    """
    if os.path.exists(name):
        return name
    packaged = (os.path.realpath(folder / name) for folder in (CONFIGS, PACKAGED))
    return next(filter(os.path.isfile, packaged), name)
