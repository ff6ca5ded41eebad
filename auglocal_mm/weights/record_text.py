"""A backbone's record in words, for model cards and reports; ``None`` where nothing is recorded."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from auglocal_mm.weights.accuracy_interval import accuracy_interval
from auglocal_mm.weights.backbone_record import BackboneRecord


def call(part: Mapping[str, Any]) -> str:
    """A part of a config as a call, such as ``AugLocalHead(depth=5)``."""
    options = ', '.join(f'{key}={value!r}' for key, value in part.items() if key != 'type')
    return f'{part.get("type")}({options})'


def split_points(record: BackboneRecord) -> str | None:
    """The local layers that the network is split after."""
    if record.partition is None:
        return None
    return ', '.join(record.partition.split_points) or 'not split'


def initial_weights(record: BackboneRecord) -> str | None:
    """The file that the training started from."""
    return 'none named in the config' if record.initial_weights == '' else record.initial_weights


def datasets(record: BackboneRecord) -> str | None:
    """The data sets, such as ``imagenet (ImageFolder)``, by their names or folders."""
    return ' and '.join(dataset_text(each.type, each.name or each.folder) for each in record.datasets or ()) or None


def dataset_text(kind: str, name: str | None) -> str:
    """A data set by its type and, where it has one, its name."""
    return f'{name} ({kind})' if name else kind


def num_images(record: BackboneRecord) -> str | None:
    """The number of images of the training, over all data sets."""
    return f'{sum(dataset.num_images for dataset in record.datasets):,}' if record.datasets else None


def accuracies(record: BackboneRecord) -> dict[str, str]:
    """Each accuracy by its name, in percent, with its interval where the number of images is recorded."""
    found, images = record.accuracy or {}, record.num_validation_images
    return {
        name: f'{value:.2f}{f" (95 % interval {interval(value, images)})" if images else ""}'
        for name, value in found.items()
    }


def interval(accuracy: float, num_images: int) -> str:
    """That of an accuracy in percent over so many validation images."""
    low, high = accuracy_interval(accuracy, num_images)
    return f'{low:.2f} to {high:.2f} over {num_images:,} validation images'


def device(record: BackboneRecord) -> str | None:
    """What it was trained on, and by how many processes."""
    number = record.num_processes or 1
    return record.device and f'{record.device}, {number} process{"es" if number > 1 else ""}'


def training_time(record: BackboneRecord) -> str | None:
    """The wall time of the training, with all that it was resumed from, such as ``1:02:03``."""
    return None if record.training_seconds is None else str(timedelta(seconds=round(record.training_seconds)))


def peak_memory(record: BackboneRecord) -> str | None:
    """The peak memory of the first process, of each kind that was measured."""
    peaks = (record.peak_memory or {}).items()
    return ', '.join(f'{size / 2**30:.2f} GiB {kind}' for kind, size in peaks) or None


def versions(record: BackboneRecord) -> str | None:
    """Python and packages."""
    return ', '.join(f'{name} {version}' for name, version in (record.versions or {}).items()) or None


def commit(record: BackboneRecord) -> str | None:
    """The commit of the source, and whether it was changed."""
    if record.checkout is None:
        return None
    return f'{record.checkout.commit}{", changed" if record.checkout.changed else ""}'
