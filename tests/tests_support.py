"""What tests share besides fixtures."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

from mmengine.config import Config
from tests_processes import Started

REPOSITORY = Path(__file__).resolve().parents[1]


def tool(*arguments: str, **settings: Any) -> subprocess.CompletedProcess:
    """Runs a tool of the repository as a process, with the settings of :class:`Started`."""
    return Started(*arguments, **settings).wait()


def write(config: Config, path: Path) -> str:
    """Writes ``config`` to ``path``, as the command line takes it."""
    config.dump(str(path))
    return str(path)


def assert_error(done: subprocess.CompletedProcess, *words: str) -> None:
    """One sentence with these words, status 1, and no traceback."""
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('error: '), done.stderr[-2000:]
    assert all(word in last for word in words), last
    assert 'Traceback' not in done.stderr


def load_tool(path: str) -> Any:
    """A tool of the repository as a module."""
    spec = importlib.util.spec_from_file_location(f'tool_{Path(path).stem}', REPOSITORY / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(path: str, *arguments: str) -> None:
    """Runs a tool of the repository in this process, which saves the seconds of its imports."""
    load_tool(path).main(list(arguments))
