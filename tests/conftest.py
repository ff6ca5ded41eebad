"""Hooks of all tests. The process that hands tests to others imports little, so that these start at once."""

import gc
import importlib

import pytest
import tests_server


def pytest_configure(config: pytest.Config) -> None:
    """Loads the fixtures, with seconds of imports, where tests run."""
    if hasattr(config, 'workerinput') or not config.getoption('numprocesses', None):
        config.pluginmanager.import_plugin('tests_fixtures')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before others start that run tests. yapf writes a cache at its first import, which is not safe twice at a time."""
    importlib.import_module('yapf')
    tests_server.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the test of minutes first, so that no process of several is left alone with it at the end."""
    items.sort(key=lambda item: 'test_real_photographs' not in item.nodeid)


def pytest_collection_finish() -> None:
    """Spares what was imported from garbage collections: a million objects."""
    gc.collect()
    gc.freeze()
