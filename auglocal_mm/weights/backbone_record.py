"""The description of a backbone that its export writes beside it: ``backbone.json`` of ``backbone.pth``."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from auglocal_mm.errors import InputError
from auglocal_mm.files.json_file import Count, NotNegative, Percent, read_json


class _Part(BaseModel):
    model_config = ConfigDict(extra='allow', strict=True)


class PartitionRecord(_Part):
    """The local modules.

    Attributes:
        num_local_modules: K; 1 is BP.
        split_points: Names of the K - 1 local layers that the network is split after, as ``model.partition`` takes them.
    """

    num_local_modules: Count
    split_points: list[str]


class DatasetRecord(_Part):
    """A data set that was trained on.

    Attributes:
        type: Such as ``ImageFolder``.
        name: Such as ``CIFAR10``, of a data set that has one.
        folder: The last folder of ``data_root``.
        num_images: Of the training, without repetitions.
    """

    type: str
    name: str | None = None
    folder: str | None = None
    num_images: Count


class CheckoutRecord(_Part):
    """The state of the source code.

    Attributes:
        commit: Of git.
        changed: Whether tracked files differed from it.
    """

    commit: str
    changed: bool


class TrainingCost(_Part):
    """What a training took, with all that it was resumed from.

    Attributes:
        training_seconds: Of all its runs, with their validations, as far as they led to a checkpoint that was resumed.
        peak_memory: Of the first process in bytes: ``resident`` on a CPU, ``allocated`` by tensors on a GPU.
    """

    training_seconds: NotNegative | None = None
    peak_memory: dict[str, Count] | None = None


class BackboneRecord(TrainingCost):
    """What is known of a backbone; what is not known is left out, and further keys are kept.

    Attributes:
        method: How it was trained, such as ``AugLocalHead``.
        architecture: Such as ``ResNet-34``.
        num_classes: Of its classifier.
        accuracy: In percent, by metric, such as ``accuracy/top1``.
        num_validation_images: That it was measured on.
        epoch: Number of epochs of its training.
        iteration: Number of iterations of its training.
        config_hash: SHA-256 of the config's text.
        partition: The local modules.
        auxiliary_heads: Their config.
        datasets: All that were trained on.
        seed: Of the training.
        initial_weights: File that the training started from, with its folder; empty if its config named none.
        versions: Of ``python`` and packages, in the last run of the training like all that follows.
        checkout: Of auglocal_mm; only where it is not an installed package.
        device: The model of the first process's GPU or CPU.
        num_processes: Of all machines.
        sha256: Of the file of weights.
    """

    method: str = ''
    architecture: str = ''
    num_classes: Count | None = None
    accuracy: dict[str, Percent] | None = None
    num_validation_images: Annotated[int, Field(ge=1)] | None = None
    epoch: Count | None = None
    iteration: Count | None = None
    config_hash: str | None = None
    partition: PartitionRecord | None = None
    auxiliary_heads: dict[str, Any] | None = None
    datasets: list[DatasetRecord] | None = None
    seed: int | None = None
    initial_weights: str | None = None
    versions: dict[str, str] | None = None
    checkout: CheckoutRecord | None = None
    device: str | None = None
    num_processes: Count | None = None
    sha256: str | None = None


def read_backbone_record(path: Path) -> BackboneRecord:
    """Reads a description.

    Raises:
        InputError: The file is invalid.
    """
    return read_json(path, BackboneRecord, 'export the backbone again, or remove the file')


def read_own_record(path: Path) -> BackboneRecord:
    """As :func:`read_backbone_record`, of a backbone that this project exported.

    Raises:
        InputError: The file is invalid, or another program's.
    """
    record = read_backbone_record(path)
    if 'method' not in record.model_fields_set:
        raise InputError(f'{path} has no key method, which every record of a backbone has; export the backbone again')
    return record
