"""A folder to publish: a backbone's weights and their record, ``config.json`` as timm reads it, and a model card."""

import os
from collections.abc import Mapping
from typing import Any

from auglocal_mm.files.atomic import atomic_folder, write_json, write_text
from auglocal_mm.hub.model_card import model_card
from auglocal_mm.hub.timm_config import timm_config
from auglocal_mm.hub.training import Training
from auglocal_mm.weights.backbone_file import write_backbone
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights

WEIGHTS = {'safetensors': 'model.safetensors', 'pth': 'pytorch_model.bin'}
"""Names of the file of weights, by format, as timm looks for them."""


def write_hub_folder(
    folder: str | os.PathLike[str],
    checkpoint: Mapping[str, Any],
    source: str,
    file_format: str = 'safetensors',
    layout: str | None = None,
    licence: str | None = None,
) -> None:
    """Writes the folder, whole or not at all.

    Args:
        folder: A new or an empty folder.
        checkpoint: As :func:`auglocal_mm.weights.described_weights.read_described_weights` returns it.
        source: Its path; an accuracy that it does not contain is taken from ``evaluation.json`` beside it, and a config from
            the logs there.
        file_format: A key of ``WEIGHTS``.
        layout: See :func:`auglocal_mm.weights.backbone_file.write_backbone`.
        licence: Of the weights, by its SPDX identifier such as ``apache-2.0``; by default the card says that none is stated.

    Raises:
        InputError: As :func:`write_backbone`; ``folder`` is not empty; or a record is invalid.
    """
    training, name = Training(checkpoint, source), WEIGHTS[file_format]
    with atomic_folder(folder) as temporary:
        record = read_backbone_record(write_backbone(temporary / name, training.checkpoint, layout))
        config = timm_config(read_weights(temporary / name), record, training)
        write_json(temporary / 'config.json', config)
        card = model_card(record, training, 'pretrained_cfg' in config, name, licence)
        write_text(temporary / 'README.md', card)
