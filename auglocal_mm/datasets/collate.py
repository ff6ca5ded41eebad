"""Collation of the items of a data set into a batch."""

from typing import Any

import torch
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS

from auglocal_mm.errors import InputError
from auglocal_mm.registry import FUNCTIONS


# MMEngine looks up ``collate_fn`` in its root registry regardless of the default scope, so a name without a scope is
# found only there; ``auglocal_mm.collate_images`` is found in our own registry, even before this module is imported.
@MMENGINE_FUNCTIONS.register_module()
@FUNCTIONS.register_module()
def collate_images(batch: list[dict[str, Any] | None]) -> dict[str, torch.Tensor]:
    """Stacks images and labels, without corrupt images, which are ``None``.

    Args:
        batch: Items of :class:`ImageFolder`, each with ``inputs`` of shape (3, H, W) and an int ``data_samples``.

    Returns:
        ``inputs``, uint8 of shape (N, 3, H, W), and ``data_samples``, int64 of shape (N,).

    Raises:
        InputError: No image is left, or the images differ in size.
    """
    items = [item for item in batch if item is not None]
    if not items:
        raise InputError(
            f'all {len(batch)} images of a batch are corrupt, expected at least one that can be read; '
            'repair the files that the warnings name'
        )
    sizes = sorted({tuple(item['inputs'].shape[1:]) for item in items})
    if len(sizes) > 1:
        raise InputError(
            f'the images of a batch have sizes (height, width) {sizes[0]} and {sizes[-1]}, expected one size; '
            'add a transform that fixes the size: RandomResizedCrop, or Resize and CenterCrop'
        )
    return {
        'inputs': torch.stack([item['inputs'] for item in items]),
        'data_samples': torch.tensor([item['data_samples'] for item in items], dtype=torch.int64),
    }
