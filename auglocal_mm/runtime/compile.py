"""The key ``compile`` of MMEngine's configs; under local learning each local module is compiled separately."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule

CUDA_GRAPHS = ('reduce-overhead', 'max-autotune')
"""Modes of :func:`torch.compile` that use CUDA graphs."""


def compile_settings(config: Config) -> dict[str, Any] | None:
    """The arguments of :func:`torch.compile` under ``compile`` in a config, ``None`` if nothing is compiled.

    Raises:
        InputError: ``compile`` is not ``True``, ``False`` or valid arguments of :func:`torch.compile`.
    """
    given = config.get('compile')
    if not isinstance(given, bool | Mapping | None):
        raise InputError(
            f"compile is {given!r}; expected True or arguments of torch.compile, e.g. dict(mode='max-autotune-no-cudagraphs')"
        )
    if given is None or given is False:
        return None
    settings = {} if given is True else dict(given)
    try:
        torch.compile(lambda: None, **settings)
    except (TypeError, RuntimeError) as error:
        raise InputError(
            f'compile is {settings}, which torch.compile does not accept ({error}); correct the arguments'
        ) from error
    return settings


def compile_modules(modules: Sequence[LocalModule], settings: Mapping[str, Any]) -> None:
    """Compiles the layers and the head of each local module in place; parameter names stay the same.

    Recomputed layers are not compiled.

    Raises:
        InputError: The settings ask for CUDA graphs. A graph's outputs are valid only until the next graph runs, so a local
            module's output would be overwritten in the next module's forward pass.
    """
    if settings.get('mode') in CUDA_GRAPHS:
        raise InputError(
            f'compile.mode is {settings["mode"]!r}, which uses CUDA graphs; under local learning they overwrite each '
            "other's outputs: use 'default' or 'max-autotune-no-cudagraphs'"
        )
    for module in modules:
        module.layers.compile(**settings)
        module.head.compile(**settings)
