from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Literal

import pytest

from auglocal_mm.settings.value_kinds import fits, unfit_arguments


@pytest.mark.parametrize(
    ('value', 'kind', 'right'),
    [
        (1, int, True),
        ('1', int, False),
        (1, float, True),
        ('fast', float, False),
        (None, int | None, True),
        (None, int, False),
        ({}, Mapping[str, Any], True),
        (5, Mapping[str, Any] | None, False),
        ([1, 2], Sequence[int], True),
        ((1, 2), list[int], True),
        ([1, 'a'], Sequence[int], False),
        ('ab', Sequence[str], False),
        ('ab', Sequence[str] | str, True),
        ('a', Literal['a', 'b'], True),
        ('c', Literal['a', 'b'], False),
        (5, Any, True),
        (5, 'a string', True),
    ],
)
def test_kinds(value, kind, right):
    assert fits(value, kind) is right


def test_what_does_not_fit_is_named_but_no_default():
    def build(depth: int, momentum: float = 0.9, norm: dict = None) -> None:  # noqa: RUF013
        pass

    given = {'depth': 'deep', 'momentum': 0.5, 'norm': None, 'unknown': 3}
    assert unfit_arguments(signature(build).parameters, given) == ["depth='deep'; expected int"]
