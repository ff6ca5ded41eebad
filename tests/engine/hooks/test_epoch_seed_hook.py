from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler, Subset

from auglocal_mm.datasets import ImageFolder
from auglocal_mm.engine.hooks import EpochSeedHook


@pytest.mark.parametrize('wrap', [lambda inner: inner, lambda inner: Subset(inner, range(24))])
def test_sampler_and_data_set_get_the_epoch(wrap, image_folder):
    dataset = wrap(ImageFolder(str(image_folder), 'train', [dict(type='RandomCrop', size=32, padding=8)]))
    sampler = DistributedSampler(dataset, num_replicas=1, rank=0, seed=5)
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=DataLoader(dataset, sampler=sampler)), seed=5)
    runner.train_dataloader = runner.train_loop.dataloader
    seen = []
    for epoch in (0, 1, 0):
        runner.epoch = epoch
        EpochSeedHook().before_train_epoch(runner)
        seen.append((list(sampler), dataset[0]['inputs'].tolist(), torch.rand(3).tolist(), np.random.rand()))
    first, second, again = seen
    assert first == again
    assert first[0] != second[0], 'the order changes'
    assert first[1] != second[1], 'the augmentation changes'
    assert first[2] != second[2] and first[3] != second[3], 'so does what the network draws'
