"""The data sets in their original formats, with the checksums in torchvision replaced by those of tiny files."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from auglocal_mm.datasets import TorchvisionDataset
from auglocal_mm.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)


def checksum(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(labels) -> Path:
        folder = tmp_path / datasets.CIFAR10.base_folder
        folder.mkdir(exist_ok=True)
        content = {'data': PIXELS.reshape(6, -1), 'labels': labels}
        files = {'batch': content, 'batches.meta': {'label_names': list('abcdefghij')}}
        for name, value in files.items():
            (folder / name).write_bytes(pickle.dumps(value))
        entry = [['batch', checksum(folder / 'batch')]]
        monkeypatch.setattr(datasets.CIFAR10, 'train_list', entry)
        monkeypatch.setattr(datasets.CIFAR10, 'test_list', entry)
        meta = {'filename': 'batches.meta', 'key': 'label_names', 'md5': checksum(folder / 'batches.meta')}
        monkeypatch.setattr(datasets.CIFAR10, 'meta', meta)
        return tmp_path

    return make


def test_cifar10(cifar10):
    data = TorchvisionDataset('CIFAR10', str(cifar10([3, 1, 4, 1, 5, 9])))
    assert data.labels == [3, 1, 4, 1, 5, 9]
    assert data.metainfo['classes'] == tuple('abcdefghij')
    item = data[2]
    assert torch.equal(item['inputs'], torch.from_numpy(PIXELS[2]))
    assert item['data_samples'] == 4


def test_augmentation_depends_on_seed_and_epoch(cifar10):
    transforms = [dict(type='Pad', padding=4, padding_mode='reflect'), dict(type='RandomCrop', size=32)]
    data = TorchvisionDataset('CIFAR10', str(cifar10([0] * 6)), transforms=transforms)
    views = []
    for epoch in (0, 1, 0):
        data.set_epoch(0, epoch)
        views.append(torch.stack([data[i]['inputs'] for i in range(6)]))
    assert torch.equal(views[0], views[2])
    assert not torch.equal(views[0], views[1])


def test_svhn(tmp_path, monkeypatch):
    io = pytest.importorskip('scipy.io')
    path = tmp_path / 'test_32x32.mat'
    io.savemat(
        path, {'X': PIXELS.transpose(2, 3, 1, 0), 'y': np.array([[10], [1], [2], [3], [4], [5]], dtype=np.uint8)}
    )
    monkeypatch.setitem(datasets.SVHN.split_list, 'test', ['', path.name, checksum(path)])
    data = TorchvisionDataset('SVHN', str(tmp_path), split='test')
    assert data.labels == [0, 1, 2, 3, 4, 5]  # SVHN stores the digit 0 as 10
    assert torch.equal(data[1]['inputs'], torch.from_numpy(PIXELS[1]))


@pytest.fixture
def stl10(tmp_path, monkeypatch):
    """The pixels and the folder of four images."""
    folder = tmp_path / datasets.STL10.base_folder
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 96, 96), dtype=np.uint8)
    (folder / 'x.bin').write_bytes(pixels.transpose(0, 1, 3, 2).tobytes())
    (folder / 'y.bin').write_bytes(bytes([1, 10, 2, 3]))
    (folder / 'classes').write_text('\n'.join('abcdefghij'))
    monkeypatch.setattr(datasets.STL10, 'test_list', [['x.bin', None], ['y.bin', None]])
    monkeypatch.setattr(datasets.STL10, 'train_list', [])
    monkeypatch.setattr(datasets.STL10, 'class_names_file', 'classes')
    return pixels, folder


def test_stl10(stl10, tmp_path):
    data = TorchvisionDataset('STL10', str(tmp_path), split='test')
    assert data.labels == [0, 9, 1, 2]
    assert torch.equal(data[3]['inputs'], torch.from_numpy(stl10[0][3]))


@pytest.mark.parametrize(('name', 'size'), [('y.bin', 3), ('x.bin', 3 * 3 * 96 * 96), ('x.bin', 1000), ('classes', 0)])
def test_short_files_are_refused(stl10, tmp_path, name, size):
    path = stl10[1] / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=rf'STL10.*{tmp_path}|TorchvisionDataset.*\b0 classes'):
        TorchvisionDataset('STL10', str(tmp_path), split='test')


def test_a_missing_list_of_classes_is_refused(stl10, tmp_path):
    (stl10[1] / 'classes').unlink()
    with pytest.raises(InputError, match=rf'STL10\b.*{tmp_path}\b.*classes'):
        TorchvisionDataset('STL10', str(tmp_path), split='test')


def test_labels_outside_the_classes_are_refused(cifar10):
    with pytest.raises(InputError, match=r'\b10 classes\b.*\b12\b.*\b0 to 9\b'):
        TorchvisionDataset('CIFAR10', str(cifar10([0, 1, 2, 3, 4, 12])))


def test_incomplete_downloads_are_refused(cifar10):
    root = cifar10([0] * 6)
    batch = root / datasets.CIFAR10.base_folder / 'batch'
    batch.write_bytes(batch.read_bytes()[:100])
    with pytest.raises(InputError, match=rf'CIFAR10\b.*{root}\b.*download=True'):
        TorchvisionDataset('CIFAR10', str(root))


@pytest.mark.parametrize('name', ['CIFAR10', 'SVHN', 'STL10'])
def test_missing_data_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=rf'{name}\b.*{tmp_path}/nothing\b.*download=True'):
        TorchvisionDataset(name, str(tmp_path / 'nothing'))


def test_unknown_names_and_splits_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'CIFAR11'.*'train'.*CIFAR10"):
        TorchvisionDataset('CIFAR11', str(tmp_path))
    with pytest.raises(InputError, match=r"'SVHN'.*'extra'.*train"):
        TorchvisionDataset('SVHN', str(tmp_path), split='extra')
