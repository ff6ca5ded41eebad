"""The list of changes fits the source: each text is there once, and each named test exists."""

import pytest
from tests_support import REPOSITORY

from mutations.changes import CHANGES


@pytest.mark.parametrize('change', CHANGES, ids=lambda change: change.guarantee)
def test_a_change_fits_the_source(change):
    assert (REPOSITORY / 'auglocal_mm' / change.file).read_text().count(change.old) == 1
    for test in change.test.split():
        path, _, name = test.partition('::')
        assert not name or f'def {name}(' in (REPOSITORY / path).read_text(), test
        assert (REPOSITORY / path).exists()


def test_there_are_enough():
    assert len({change.guarantee for change in CHANGES}) == len(CHANGES) >= 25
