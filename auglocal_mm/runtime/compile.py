"""``compile`` of MMEngine's configs; under local learning every local module is compiled by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalModule

CUDA_GRAPHS = ('reduce-overhead', 'max-autotune')
"""Modes of :func:`torch.compile` that capture them."""


def compile_settings(config: Config) -> dict[str, Any] | None:
    """The arguments of :func:`torch.compile` that a config has under ``compile``, ``None`` where nothing is compiled.

    Raises:
        InputError: They are not ``True``, ``False`` or arguments that :func:`torch.compile` takes.
    """
    given = config.get('compile')
    if not isinstance(given, bool | Mapping | None):
        raise InputError(
            f"compile is {given!r}; expected True or arguments of torch.compile, as dict(mode='max-autotune-no-cudagraphs')"
        )
    if given is None or given is False:
        return None
    settings = {} if given is True else dict(given)
    try:
        torch.compile(lambda: None, **settings)
    except (TypeError, RuntimeError) as error:
        raise InputError(f'compile is {settings}, which torch.compile does not take: {error}') from error
    return settings


def compile_modules(modules: Sequence[LocalModule], settings: Mapping[str, Any]) -> None:
    """Compiles the layers and the head of each local module in place; no parameter gets another name.

    Layers that are recomputed run as they are.

    Raises:
        InputError: The settings ask for CUDA graphs, whose outputs live until the next graph runs: one local module's output
            would not outlive the next one's forward pass.
    """
    if settings.get('mode') in CUDA_GRAPHS:
        raise InputError(
            f"compile.mode is {settings['mode']!r}, which takes CUDA graphs that overwrite each other's outputs under local "
            "learning; take 'default' or 'max-autotune-no-cudagraphs'"
        )
    for module in modules:
        module.layers.compile(**settings)
        module.head.compile(**settings)
