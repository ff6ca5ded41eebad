"""Separates settings of the machine, which cannot change the result of a run, from all others."""

from collections.abc import Iterator, Mapping
from typing import Any

MACHINE = frozenset(('num_workers', 'persistent_workers', 'data_root', 'download', 'in_memory'))


def leaves(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Yields the leaves of nested dicts and lists with their dotted keys; an empty dict or list is a leaf."""
    if isinstance(value, Mapping) and value:
        items = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list | tuple) and value:
        items = [(str(index), each) for index, each in enumerate(value)]
    else:
        yield key, value
        return
    for name, each in items:
        yield from leaves(each, f'{key}.{name}' if key else name)


def without_machine(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of ``settings`` without those of the machine."""
    # Empty settings have one leaf, with an empty key.
    return {key: value for key, value in leaves(settings) if key and not MACHINE.intersection(key.split('.'))}


def first_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """The first key, in the order of ``first``, that differs and is not a setting of the machine."""
    one, other = without_machine(first), without_machine(second)
    absent = object()
    keys = dict.fromkeys((*one, *other))
    return next((key for key in keys if one.get(key, absent) != other.get(key, absent)), None)
