"""The images that analyses look at."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from auglocal_mm.analysis.trained_model import labelled_batches
from auglocal_mm.errors import InputError


def images(loader: dict, num_images: int) -> torch.Tensor:
    init_default_scope('auglocal_mm')  # as the tools do
    return torch.cat([batch for batch, _ in labelled_batches(loader, num_images, model(3))])


def model(classes: int) -> torch.nn.Module:
    network = torch.nn.Module()
    network.head = torch.nn.Module()
    network.head.num_classes = classes
    return network


def test_images_are_drawn_from_all_classes_the_same_ones_each_time(tiny_config):
    config = tiny_config()
    loader = {**config.val_dataloader, 'dataset': {**config.val_dataloader.dataset, 'split': 'train'}}
    np.random.seed(1)  # where an unseeded sampler would draw from
    first = images(loader, 20)
    np.random.seed(2)
    assert torch.equal(images(loader, 20), first)
    labels = [labels for _, labels in labelled_batches(loader, 6, model(3))]
    assert set(torch.cat(labels).tolist()) == {0, 1, 2}, 'a folder has eight of the first class first'


def test_as_many_images_as_asked_for(tiny_config):
    loader = tiny_config().val_dataloader  # six images, batches of eight
    assert [len(images(loader, num_images)) for num_images in (1, 5, 6, 100)] == [1, 5, 6, 6]
    with pytest.raises(InputError, match=r'images\b.*\b0\b.*\b1\b.*--images'):
        images(loader, 0)


def test_images_of_other_classes_are_refused(tiny_config):
    init_default_scope('auglocal_mm')
    with pytest.raises(InputError, match=r'validation.*\b3\b.*num_classes.*\b10\b'):
        next(labelled_batches(tiny_config().val_dataloader, 5, model(10)))
