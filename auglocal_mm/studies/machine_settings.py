"""Tells settings that only say where and how fast a run runs from those that can change its result."""

from collections.abc import Iterator, Mapping
from typing import Any

MACHINE = frozenset(('num_workers', 'persistent_workers', 'data_root', 'download'))


def leaves(value: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """All plain values of nested dicts and lists, by dotted key; an empty dict or list is a value."""
    if isinstance(value, Mapping) and value:
        items = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list | tuple) and value:
        items = [(str(number), each) for number, each in enumerate(value)]
    else:
        yield key, value
        return
    for name, each in items:
        yield from leaves(each, f'{key}.{name}' if key else name)


def without_machine(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of ``settings`` but those of the machine."""
    # Without a key: the one leaf of settings that are empty.
    return {key: value for key, value in leaves(settings) if key and not MACHINE.intersection(key.split('.'))}


def first_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """The first key, in the order of ``first``, that differs and is not a setting of the machine."""
    one, other = without_machine(first), without_machine(second)
    absent = object()
    keys = dict.fromkeys((*one, *other))
    return next((key for key in keys if one.get(key, absent) != other.get(key, absent)), None)
