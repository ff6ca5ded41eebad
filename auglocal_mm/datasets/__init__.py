"""Labelled images, their transforms, and the collation of batches."""

import io
from contextlib import redirect_stdout

with redirect_stdout(io.StringIO()):  # MMDetection prints which optional data sets are missing
    import mmdet.datasets  # noqa: F401

from auglocal_mm.datasets.coco_dataset import CocoDataset
from auglocal_mm.datasets.collate import collate_images
from auglocal_mm.datasets.image_folder import ImageFolder
from auglocal_mm.datasets.labelled_images import LabelledImages
from auglocal_mm.datasets.load_image import LoadImageFromFile
from auglocal_mm.datasets.replica_sampler import replica_sampler
from auglocal_mm.datasets.torchvision_dataset import TorchvisionDataset
from auglocal_mm.datasets.transforms import build_transform
from auglocal_mm.datasets.wrappers import ClassBalancedDataset, ConcatDataset, RepeatDataset

__all__ = [
    'ClassBalancedDataset',
    'CocoDataset',
    'ConcatDataset',
    'ImageFolder',
    'LabelledImages',
    'LoadImageFromFile',
    'RepeatDataset',
    'TorchvisionDataset',
    'build_transform',
    'collate_images',
    'replica_sampler',
]
