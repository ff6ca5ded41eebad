"""What a right file of each kind looks like, told independently of the code that is tested.

A mutant that is right may well mean something else than the clean file: only what is wrong must not be read in silence.
"""

import ast
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """Numbers are no texts, and the other way round; keys that are not named here are free."""

    model_config = ConfigDict(strict=True)


class Partition(Strict):
    num_local_modules: Count
    split_points: list[str]


class TrainedOn(Strict):
    type: str
    name: str | None = None
    folder: str | None = None
    num_images: Count


class Checkout(Strict):
    commit: str
    changed: bool


class Description(Strict):
    """``backbone.json``."""

    method: str
    architecture: str
    num_classes: Count | None
    accuracy: dict[str, Percent]
    epoch: Count | None
    config_hash: str | None
    partition: Partition | None = None
    auxiliary_heads: dict[str, Any] | None = None
    datasets: list[TrainedOn] | None = None
    seed: int | None = None
    versions: dict[str, str] | None = None
    checkout: Checkout | None = None
    device: str | None = None
    num_processes: Count | None = None
    training_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    peak_memory: dict[str, Count] | None = None
    sha256: Annotated[str, Field(pattern='^[0-9a-f]{64}$')]


class KeptMatches(Strict):
    model_config = ConfigDict(strict=True, extra='forbid')
    file: str
    sha256: Annotated[str, Field(pattern='^[0-9a-f]{64}$')]
    version: Annotated[int, Field(ge=1, le=1)]


class TrainedFrom(Strict):
    id: str
    backbone: str | None
    pretraining: Description | None


class Evaluated(Strict):
    """One evaluation of ``evaluation.json``."""

    model_config = ConfigDict(strict=True, extra='forbid')
    training: TrainedFrom | None
    epoch: Count | None
    iteration: Count | None
    checkpoint: str | None
    num_images: Count | None = None
    metrics: dict[str, Any]
    class_ap: dict[str, dict[str, float | None]] = {}
    matches: KeptMatches | None = None
    settings: dict[str, Any]


class Evaluations(Strict):
    """``evaluation.json``."""

    model_config = ConfigDict(strict=True, extra='forbid')
    validation: Evaluated | None = None
    test: Evaluated | None = None


class Record(Strict):
    """One result of a study."""

    accuracy: dict[str, Percent]
    options: dict[str, Any] = {}
    overrides: dict[str, Any] = {}


class Image(Strict):
    id: int
    file_name: Annotated[str, Field(min_length=1)]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


class Rle(Strict):
    counts: list[Count]
    size: Annotated[list[int], Field(min_length=2, max_length=2)]


class Instance(Strict):
    id: int
    image_id: int
    category_id: int
    bbox: Annotated[list[Finite], Field(min_length=4, max_length=4)]
    area: Annotated[Finite, Field(gt=0)]
    iscrowd: Annotated[int, Field(ge=0, le=1)]
    segmentation: Annotated[list[Annotated[list[Finite], Field(min_length=6)]], Field(min_length=1)] | Rle


class Category(Strict):
    id: int
    name: str


class Coco(Strict):
    images: list[Image]
    annotations: list[Instance]
    categories: list[Category]


Results = dict[Annotated[str, Field(min_length=1)], dict[Annotated[str, Field(pattern='^[0-9]+$')], Record]]


def json_value(content: bytes) -> Any:
    """The value of a JSON file in UTF-8; of a key twice the last, as everywhere in Python.

    Raises:
        ValueError: It is none; NaN is not JSON.
    """

    def refuse(text: str) -> None:
        raise ValueError(f'{text} is not JSON')

    try:
        return json.loads(content.decode('utf-8'), parse_constant=refuse)
    except RecursionError as error:
        raise ValueError('nested too deeply') from error


def is_of(kind: Any) -> Callable[[bytes], bool]:
    """Whether a JSON file is of a kind."""
    adapter = TypeAdapter(kind)

    def is_right(content: bytes) -> bool:
        try:
            adapter.validate_python(json_value(content), strict=True)
        except (ValueError, ValidationError):
            return False
        return True

    return is_right


def is_safetensors_as(clean: bytes) -> Callable[[bytes], bool]:
    """Whether a file has the weights of another by name, shape and kind of number, whatever the numbers are.

    Batches that were counted may be missing.
    """
    return lambda content: _described(content) == _described(clean)


def _described(content: bytes) -> dict[str, Any] | None:
    try:
        header = json_value(content[8 : 8 + int.from_bytes(content[:8], 'little')])
        return {
            name: (entry['dtype'] in ('F16', 'BF16', 'F32', 'F64'), entry['shape'])
            for name, entry in header.items()
            if name != '__metadata__' and not name.endswith('num_batches_tracked')
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def is_coco(sizes: dict[str, tuple[int, int]], names: tuple[str, ...]) -> Callable[[bytes], bool]:
    """Whether a file is COCO's, of these images (name -> width and height) and categories, and agrees with itself."""

    def is_right(content: bytes) -> bool:
        try:
            coco = Coco.model_validate(json_value(content))
        except (ValueError, ValidationError):
            return False
        ids = [[each.id for each in part] for part in (coco.images, coco.annotations, coco.categories)]
        images = {image.id: image for image in coco.images}
        return (
            all(len(set(part)) == len(part) for part in ids)
            and {(i.file_name, i.width, i.height) for i in coco.images} <= {(n, *s) for n, s in sizes.items()}
            and len({image.file_name for image in coco.images}) == len(coco.images)
            and sorted(each.name for each in coco.categories) == sorted(names)
            and all(each.image_id in images and each.category_id in ids[2] for each in coco.annotations)
            and all(_is_inside(each, images[each.image_id]) for each in coco.annotations)
        )

    return is_right


def _is_inside(instance: Instance, image: Image) -> bool:
    """Whether box and mask are in the image."""
    x, y, w, h = instance.bbox
    box = x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= image.width and y + h <= image.height
    mask = instance.segmentation
    if isinstance(mask, Rle):
        return box and mask.size == [image.height, image.width] and sum(mask.counts) == image.height * image.width
    inside = all(0 <= v <= (image.height if i % 2 else image.width) for polygon in mask for i, v in enumerate(polygon))
    return box and inside and all(len(polygon) % 2 == 0 for polygon in mask)


def is_log(content: bytes) -> bool:
    """Whether every line but the last, which a kill may have cut, is a record of numbers with a step."""
    *lines, last = content.split(b'\n')
    try:
        lines = [json.loads(line) for line in lines]  # the NaN of a diverged loss is in it as it is
    except (ValueError, RecursionError):
        return False
    with suppress(ValueError, RecursionError):
        lines += [json.loads(last)]
    return all(map(_is_record, lines))


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    aps = [value for key, value in record.items() if key.startswith('coco/')]
    steps = [record.get(key, 0) for key in ('step', 'epoch', 'iter')]
    return (
        all(isinstance(value, int | float) and not isinstance(value, bool) for value in record.values())
        and all(value == -1 or 0 <= value <= 1 for value in aps)
        and all(isinstance(value, int) and value >= 0 for value in steps)
        and 'step' in record
    )


def is_evaluations(content: bytes) -> bool:
    """Whether a file is ``evaluation.json`` with APs in it."""
    try:
        found = json.loads(content.decode('utf-8'))  # settings are shown as they are, also infinite ones
        Evaluations.model_validate(found)
    except (ValueError, RecursionError):
        return False
    return all(_is_record({**each['metrics'], 'step': 0}) for each in found.values() if each)


def is_test_record(content: bytes) -> bool:
    """Whether a file is the record of ``tools/test.py``."""
    try:
        record = json_value(content)
    except ValueError:
        return False
    return isinstance(record, dict) and _is_record({**record, 'step': 0})


def is_plain_config(content: bytes) -> bool:
    """Whether a dumped config has plain values alone."""
    try:
        body = ast.parse(content.decode('utf-8')).body
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False
    return all(isinstance(statement, ast.Assign) for statement in body)
