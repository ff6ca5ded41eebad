"""Reads weights together with the description that an export wrote beside them."""

import os
from pathlib import Path
from typing import Any

from auglocal_mm.files.atomic import is_there
from auglocal_mm.weights.backbone_file import check_sha256
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights


def read_described_weights(source: str | os.PathLike[str]) -> dict[str, Any]:
    """As :func:`auglocal_mm.weights.checkpoint_file.read_weights`; an exported backbone gets the ``meta`` of its checkpoint.

    Args:
        source: A checkpoint, which says itself what it is of, or ``backbone.pth`` with ``backbone.json`` beside it.

    Returns:
        The content. If the weights have a description, ``meta`` contains it as
        :func:`auglocal_mm.weights.backbone_file.write_backbone` expects it.

    Raises:
        InputError: The weights cannot be read, or the description is damaged or of another file.
    """
    weights, description = read_weights(source), Path(source).with_suffix('.json')
    if 'state_dict' in weights or 'meta' in weights or not is_there(description):
        return weights
    check_sha256(source)
    record = read_backbone_record(description)
    if record.sha256 is None:
        return weights  # the description is another program's
    meta = {'iter': record.iteration, 'seed': record.seed, 'auglocal_mm': record.model_dump(exclude_unset=True)}
    return {'state_dict': weights, 'meta': meta}
