"""torchvision's transforms (v2), written in a config under their own names."""

import inspect
from collections.abc import Callable
from enum import Enum
from typing import Any

from torchvision.transforms import v2

from auglocal_mm.errors import InputError
from auglocal_mm.registry import TRANSFORMS

for _name, _transform in vars(v2).items():
    if inspect.isclass(_transform) and issubclass(_transform, v2.Transform) and _transform is not v2.Transform:
        TRANSFORMS.register_module(name=_name, module=_transform)

# What torchvision takes as an enum only, and a text config can only write as a string.
_ENUMS: dict[str, type[Enum]] = {'interpolation': v2.InterpolationMode, 'policy': v2.AutoAugmentPolicy}


def build_transform(config: dict[str, Any] | Callable) -> Callable:
    """Builds one transform from its config; a transform that is already built is returned as it is.

    ``interpolation`` and ``policy`` may be strings (``'bicubic'``, ``'cifar10'``), and the ``transforms`` of a
    container (``RandomApply``, ``RandomChoice``, ...) may be configs.

    Args:
        config: For example ``dict(type='RandomResizedCrop', size=224, interpolation='bicubic')``.

    Raises:
        InputError: A string is not a name that torchvision knows.
    """
    if not isinstance(config, dict):
        return config
    arguments = dict(config)
    for name, enum in _ENUMS.items():
        if isinstance(arguments.get(name), str):
            arguments[name] = _member(enum, arguments[name], f'{name} of transform {config["type"]}')
    if 'transforms' in arguments:
        arguments['transforms'] = [build_transform(inner) for inner in arguments['transforms']]
    # Where the default scope is another package's, that package's transforms of the same name must not slip in.
    return TRANSFORMS.build({'_scope_': TRANSFORMS.scope, **arguments})


def _member(enum: type[Enum], value: str, name: str) -> Enum:
    known = [member.value for member in enum]
    if value not in known:
        raise InputError(f'{name} is {value!r}, expected one of {known}; correct the spelling')
    return enum(value)
