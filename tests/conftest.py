"""Hooks of all tests."""

import gc

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Loads the fixtures: first in the process that starts the others, since yapf's cache is not safe to write twice."""
    config.pluginmanager.import_plugin('tests_fixtures')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the test of minutes first, so that no process of several is left alone with it at the end."""
    items.sort(key=lambda item: 'test_real_photographs' not in item.nodeid)


def pytest_collection_finish() -> None:
    """Spares what was imported from garbage collections: a million objects."""
    gc.collect()
    gc.freeze()
