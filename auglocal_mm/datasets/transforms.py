"""torchvision's transforms (v2), registered under their own names."""

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

# Arguments that torchvision takes only as enums, and that configs can write only as strings.
_ENUMS: dict[str, type[Enum]] = {'interpolation': v2.InterpolationMode, 'policy': v2.AutoAugmentPolicy}


def build_transform(config: dict[str, Any] | Callable) -> Callable:
    """Builds a transform from its config; a transform that is already built is returned unchanged.

    ``interpolation`` and ``policy`` can be strings (``'bicubic'``, ``'cifar10'``), and the ``transforms`` of a
    container (``RandomApply``, ``RandomChoice``, ...) can be configs.

    Args:
        config: For example ``dict(type='RandomResizedCrop', size=224, interpolation='bicubic')``.

    Raises:
        InputError: A string is not the name of a torchvision enum member.
    """
    if not isinstance(config, dict):
        return config
    arguments = dict(config)
    for name, enum in _ENUMS.items():
        if isinstance(arguments.get(name), str):
            arguments[name] = _member(enum, arguments[name], f'{name} of transform {config["type"]}')
    if 'transforms' in arguments:
        arguments['transforms'] = [build_transform(inner) for inner in arguments['transforms']]
    # Otherwise another default scope would select that package's transforms of the same name.
    return TRANSFORMS.build({'_scope_': TRANSFORMS.scope, **arguments})


def _member(enum: type[Enum], value: str, name: str) -> Enum:
    known = [member.value for member in enum]
    if value not in known:
        raise InputError(f'{name} is {value!r}, expected one of {known}; correct the spelling')
    return enum(value)
