"""Identifies layers of equal cost by their classes, settings and tensor shapes."""

from collections.abc import Hashable

from torch import nn

BARE = set(vars(nn.Module()))
"""Attributes of every module; all others are settings."""


def structure(module: nn.Module) -> Hashable:
    """A key that is equal for layers of the same structure, whatever their weights; in doubt it differs."""
    settings = {name: repr(value) for name, value in vars(module).items() if name not in BARE}
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    shapes = tuple((name, tuple(value.shape), value.dtype, value.requires_grad) for name, value in tensors)
    children = tuple((name, structure(child)) for name, child in module.named_children())
    return type(module), tuple(sorted(settings.items())), shapes, children
