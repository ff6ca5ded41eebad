"""One process that has PyTorch and MMDetection in memory, from which all tests fork theirs. Imports nothing of them here."""

import multiprocessing
import os
from multiprocessing import forkserver

ADDRESS = 'AUGLOCAL_TEST_SERVER'
"""The variable of the environment that says where it listens."""
SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(
    ['auglocal_mm', 'auglocal_mm.analysis', 'auglocal_mm.studies', 'mmdet.models', 'tests_processes']
)


def start() -> None:
    """Starts it, once for this process and all that it starts. It imports in the background, and ends with this process."""
    server = forkserver._forkserver
    server.ensure_running()  # what `use` replaces, unlike `forkserver.ensure_running`
    os.environ[ADDRESS] = server._forkserver_address


def use(address: str) -> None:
    """Forks from the one that another process has started, where this one would start its own."""
    server = forkserver._forkserver
    server._forkserver_address = address
    server.ensure_running = lambda: None
    if server._forkserver_alive_fd is None:  # what keeps it running, and is passed on: another process does that
        server._forkserver_alive_fd = os.open(os.devnull, os.O_WRONLY)


if ADDRESS in os.environ:
    use(os.environ[ADDRESS])
