"""The description of a backbone that its export writes beside it: ``backbone.json`` of ``backbone.pth``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auglocal_mm.files.json_file import Count, Percent, read_json


class BackboneRecord(BaseModel):
    """What is known of a backbone; further keys are kept.

    Attributes:
        method: How it was trained, such as ``AugLocalHead``.
        architecture: Such as ``ResNet-34``.
        num_classes: Of its classifier.
        accuracy: In percent, by metric, such as ``accuracy/top1``.
        epoch: Number of epochs of its training.
        config_hash: SHA-256 of the config's text.
        sha256: Of the file of weights.
    """

    model_config = ConfigDict(extra='allow', strict=True)

    method: str = ''
    architecture: str = ''
    num_classes: Count | None = None
    accuracy: dict[str, Percent] | None = None
    epoch: Count | None = None
    config_hash: str | None = None
    sha256: str | None = None


def read_backbone_record(path: Path) -> BackboneRecord:
    """Reads a description.

    Raises:
        InputError: The file is invalid.
    """
    return read_json(path, BackboneRecord, 'export the backbone again, or remove the file')
