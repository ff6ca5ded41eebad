"""The images that analyses look at."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from auglocal_mm.analysis.trained_model import labelled_batches
from auglocal_mm.errors import InputError


def images(loader: dict, number: int) -> torch.Tensor:
    init_default_scope('auglocal_mm')  # as the tools do
    return torch.cat([batch for batch, _ in labelled_batches(loader, number, model(3))])


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
    assert [len(images(loader, number)) for number in (1, 5, 6, 100)] == [1, 5, 6, 6]
    with pytest.raises(InputError, match='the number of images is 0'):
        images(loader, 0)


def test_images_of_other_classes_are_refused(tiny_config):
    init_default_scope('auglocal_mm')
    with pytest.raises(InputError, match='the validation data have 3 classes, but num_classes of the model is 10'):
        next(labelled_batches(tiny_config().val_dataloader, 5, model(10)))
