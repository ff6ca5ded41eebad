"""Files; downloads are tested on MMEngine's way to them, in ``engine/test_pretrained.py``."""

import pytest
import torch

from auglocal_mm.errors import InputError
from auglocal_mm.weights.weight_sources import local_file


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'a.pth').touch()
    with local_file('~/a.pth') as path:
        assert path == tmp_path / 'a.pth'


def test_a_download_with_a_hash_in_its_name_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch := Fetch())
    for _ in range(2):
        with local_file('http://nowhere/resnet34-b627a593.pth') as path:
            assert path == tmp_path / 'checkpoints/resnet34-b627a593.pth'
            assert path.read_text() == 'weights'
    assert fetch.hashes == ['b627a593'], 'once, and verified'


def test_any_other_is_fetched_anew_and_not_kept(monkeypatch):
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fetch := Fetch())
    for _ in range(2):
        with local_file('http://nowhere/epoch_1.pth?token=7#top') as path:
            assert path.name == 'epoch_1.pth'
    assert not path.exists()
    assert fetch.hashes == [None, None]


def test_a_download_that_cannot_be_written_names_url_and_file(tmp_path, monkeypatch):
    (tmp_path / 'checkpoints').touch()  # a file, where a folder is needed
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    with pytest.raises(InputError) as caught, local_file('http://nowhere/resnet34-b627a593.pth'):
        pass
    for word in ('http://nowhere/resnet34-b627a593.pth', f'written to {tmp_path}/checkpoints/resnet34-b627a593.pth'):
        assert word in str(caught.value)


def test_a_name_of_a_zoo_stands_for_a_url(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', Fetch())
    with local_file('torchvision://resnet18') as path:
        assert path.name == 'resnet18-f37072fd.pth'


class Fetch:
    """Writes a file in the place of a download, and keeps the hashes that were asked for."""

    def __init__(self) -> None:
        self.hashes: list[str | None] = []

    def __call__(self, url: str, path: str, hash_prefix: str | None, progress: bool) -> None:
        self.hashes.append(hash_prefix)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('weights')
