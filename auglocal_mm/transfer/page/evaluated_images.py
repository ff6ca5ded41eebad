"""The images and objects of a recorded evaluation, found through the settings of its run."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet.datasets.api_wrappers import COCOeval
from torch import Tensor

from auglocal_mm.datasets.coco_annotations import CocoAnnotations
from auglocal_mm.datasets.image_size import check_size
from auglocal_mm.datasets.read_image import read_image
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.annotation_digest import annotation_digest
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.transfer.transfer_result import TransferResult


@dataclass(frozen=True)
class EvaluatedImages:
    """What a detector was evaluated on.

    Attributes:
        annotations: Images, categories and objects.
        folder: Where the images are.
    """

    annotations: CocoAnnotations
    folder: Path

    def name(self, image_id: int | str) -> str:
        """The file name of an image."""
        return self.annotations.imgs[image_id]['file_name']

    def read(self, image_id: int | str) -> Tensor:
        """An image, uint8 of shape (3, H, W), as detectors see it.

        Raises:
            InputError: It cannot be read, or has another size than in the annotations.
        """
        record, path = self.annotations.imgs[image_id], str(self.folder / self.name(image_id))
        image = read_image(path, upright=True)
        check_size(path, image.shape[1:], (record['height'], record['width']), self.annotations.path)
        return image

    def objects(self, image_id: int | str) -> list[dict[str, Any]]:
        """The objects in an image, in COCO's format."""
        return self.annotations.imgToAnns.get(image_id, [])


def find_images(run: TransferResult, matches: Mapping[str, Matches]) -> EvaluatedImages:
    """Finds what a run was evaluated on.

    Args:
        run: The run.
        matches: Of its evaluation, which say whether the annotations are still the same.

    Raises:
        InputError: Its config names no annotation file or no folder of images, or the file is not what was evaluated on.
    """
    prefix = 'val' if run.evaluation.run == 'validation' else 'test'
    dataset = f'{prefix}_dataloader.dataset'
    while run.config.get(f'{dataset}.dataset') is not None:
        dataset += '.dataset'
    root = str(run.config.get(f'{dataset}.data_root') or '')
    folder = Path(root, _path(run, f'{dataset}.data_prefix.img'))
    if not folder.is_dir():
        raise InputError(
            f'there is no folder {folder}, where the images of {run.work_dir} were; restore it, or compare in the folder '
            'from which the detector was tested'
        )
    own = f'{prefix}_evaluator.ann_file'
    file = _path(run, own) if run.config.get(own) else Path(root, _path(run, f'{dataset}.ann_file'))
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools says that it creates an index
        annotations = CocoAnnotations(str(file), with_masks='segm' in matches)
    expected = matches['bbox']
    if _digest(annotations, expected) != expected.annotations:
        raise InputError(
            f'{file} has other images or objects than {run.work_dir} was evaluated on; restore the file, or test the '
            'checkpoint again'
        )
    return EvaluatedImages(annotations, folder)


def _path(run: TransferResult, key: str) -> Path:
    value = run.config.get(key)
    if not isinstance(value, str):
        raise InputError(
            f'{key} is {value!r} in the config of {run.work_dir}, expected a path; test the checkpoint again'
        )
    return Path(value)


def _digest(annotations: CocoAnnotations, matches: Matches) -> str | None:
    """Of what was evaluated; ``None`` if it is not in the file."""
    images, categories = matches.image_ids.tolist(), matches.category_ids.tolist()
    if not (annotations.imgs.keys() >= {*images} and annotations.cats.keys() >= {*categories}):
        return None
    evaluation = COCOeval(annotations, iouType='bbox')
    evaluation.params.imgIds, evaluation.params.catIds = images, categories
    return annotation_digest(evaluation)
