"""From the items of a dataset to one batch."""

from typing import Any

import torch
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS

from auglocal_mm.errors import InputError
from auglocal_mm.registry import FUNCTIONS


# MMEngine looks up ``collate_fn`` in its root registry whatever the default scope is, so a name without a scope is
# found only there; ``auglocal_mm.collate_images`` is found through our own registry even before anything is imported.
@MMENGINE_FUNCTIONS.register_module()
@FUNCTIONS.register_module()
def collate_images(batch: list[dict[str, Any] | None]) -> dict[str, torch.Tensor]:
    """Stacks images and labels; corrupt images, which are ``None``, are left out.

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
            'a transform that fixes it is missing: add RandomResizedCrop, or Resize and CenterCrop'
        )
    return {
        'inputs': torch.stack([item['inputs'] for item in items]),
        'data_samples': torch.tensor([item['data_samples'] for item in items], dtype=torch.int64),
    }
