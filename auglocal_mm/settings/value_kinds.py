"""Whether values are of the kinds that a class says it takes."""

import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin


def unfit_arguments(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> list[str]:
    """``name=value; expected kind`` for each given value that its annotation excludes; a default is right whatever that says.

    Args:
        parameters: Of a constructor.
        given: Values by name.
    """
    return [
        f'{name}={given[name]!r}; expected {_text(parameter.annotation)}'
        for name, parameter in parameters.items()
        if name in given and given[name] != parameter.default and not fits(given[name], parameter.annotation)
    ]


def fits(value: Any, kind: Any) -> bool:
    """Whether ``value`` is of ``kind``, an annotation; one that cannot be checked takes everything."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    if origin is None:
        return value is None
    if not isinstance(origin, type) or origin in (Any, inspect.Parameter.empty):
        return True
    if origin is float:
        return isinstance(value, int | float)
    if issubclass(origin, Sequence) and not issubclass(origin, str):
        listed = isinstance(value, Sequence) and not isinstance(value, str)  # configs have lists for tuples
        return listed and all(fits(each, inner[0]) for each in value if inner)
    return isinstance(value, origin)


def _text(kind: Any) -> str:
    return inspect.formatannotation(kind).replace('collections.abc.', '').replace('typing.', '')
