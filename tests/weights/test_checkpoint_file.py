import zipfile

import pytest
import torch

from auglocal_mm.errors import InputError
from auglocal_mm.weights.checkpoint_file import read_weights


def rewritten(source, path, change=lambda entry: None, compression=zipfile.ZIP_STORED, twice=False):
    """The archive of ``source`` with other entries."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, 'w') as new:
        for entry in old.infolist():
            content = old.read(entry)
            change(entry)
            for _ in range(1 + (twice and entry.filename.endswith('data/0'))):
                new.writestr(entry, content, compress_type=compression)
    return path


@pytest.fixture
def whole(tmp_path):
    torch.save({'w': torch.arange(4096.0), 'v': torch.ones(3)}, tmp_path / 'whole.pth')
    return tmp_path / 'whole.pth'


def mark_as_folder(entry):
    if entry.filename.endswith('data/0'):
        entry.external_attr |= 0x10


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        (dict(change=mark_as_folder), r'data/0.*folder'),
        (dict(compression=zipfile.ZIP_DEFLATED), 'compressed'),
        (dict(twice=True), r'data/0.*twice'),
    ],
)
@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_archives_that_pytorch_reads_as_something_else_are_refused(whole, tmp_path, given, said):
    assert torch.equal(read_weights(rewritten(whole, tmp_path / 'same.pth'))['w'], torch.arange(4096.0))
    with pytest.raises(InputError, match=rf'other\.pth.*{said}'):
        read_weights(rewritten(whole, tmp_path / 'other.pth', **given))


def test_a_file_without_permission_is_not_called_damaged(whole, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(torch, 'load', refuse)
    with pytest.raises(InputError, match=r'whole\.pth.*read.*Permission denied') as error:
        read_weights(whole)
    assert 'damaged' not in str(error.value)


def test_damaged_safetensors_are_refused(tmp_path):
    (tmp_path / 'w.safetensors').write_bytes(b'\x08\0\0\0\0\0\0\0{"a": 1}')
    with pytest.raises(InputError, match=r'w\.safetensors'):
        read_weights(tmp_path / 'w.safetensors')
