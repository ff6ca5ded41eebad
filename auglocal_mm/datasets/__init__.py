"""Labelled images, their transforms, and how a batch is put together."""

from auglocal_mm.datasets.coco_dataset import CocoDataset
from auglocal_mm.datasets.collate import collate_images
from auglocal_mm.datasets.image_folder import ImageFolder
from auglocal_mm.datasets.labelled_images import LabelledImages
from auglocal_mm.datasets.load_image import LoadImageFromFile
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
]
