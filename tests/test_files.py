import os

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files import atomic_write, write_json, write_text


def test_writes_whole_files_and_makes_folders(tmp_path):
    write_json(tmp_path / 'a' / 'b.json', {'x': 1})
    assert (tmp_path / 'a' / 'b.json').read_text() == '{\n  "x": 1\n}\n'
    assert [path.name for path in (tmp_path / 'a').iterdir()] == ['b.json']


def test_permissions_are_those_of_ordinary_files(tmp_path):
    write_text(tmp_path / 'ours', 'x')
    (tmp_path / 'plain').write_text('x')
    assert (tmp_path / 'ours').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'file'
    path.write_text('old')
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('call', ['fsync', 'replace'])
def test_a_full_disk_is_named_and_nothing_lost(tmp_path, monkeypatch, call):
    path = tmp_path / 'file'
    path.write_text('old')

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputError, match=r'cannot write .*file: No space left on device; free some space'):
        write_text(path, 'new')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='cannot write'):
        write_text(tmp_path / 'file' / 'inside', 'x')


def test_a_folder_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match='it is a folder; give the path of a file'):
        write_text(tmp_path, 'text')
