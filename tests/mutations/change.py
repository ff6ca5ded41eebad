"""A change of the source that breaks a guarantee, and the test that must catch it."""

from typing import NamedTuple


class Change(NamedTuple):
    """A change that breaks a guarantee.

    Attributes:
        guarantee: What the project says of itself.
        file: In ``auglocal_mm``.
        old: Text that occurs there once.
        new: What takes its place.
        test: That fails then.
    """

    guarantee: str
    file: str
    old: str
    new: str
    test: str
