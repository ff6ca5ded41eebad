"""The description of a backbone that its export writes beside it: ``backbone.json`` of ``backbone.pth``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auglocal_mm.files.json_file import Count, Percent, read_json


class BackboneRecord(BaseModel):
    """What is known of a backbone; more keys may be there.

    Attributes:
        method: How it was trained, such as ``AugLocalHead``.
        architecture: Such as ``ResNet-34``.
        num_classes: Of its classifier.
        accuracy: In percent, by the names of the metric: ``accuracy/top1``.
        epoch: How many it was trained.
        config_hash: SHA-256 of the config's text.
        sha256: Of the weights' file.
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
        InputError: It is not one.
    """
    return read_json(path, BackboneRecord, 'export the backbone again, or remove the file')
