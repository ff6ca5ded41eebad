import os

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files import atomic_write, remove_leftovers, write_json, write_text


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


def test_what_a_killed_write_left_goes_with_the_next_one_and_a_live_write_stays(tmp_path):
    left, other = tmp_path / '.a[1].pth.k1_3xy9z.tmp', tmp_path / '.a1.pth.k1_3xy9z.tmp'
    mine = [tmp_path / '.a[1].pth.tmp', tmp_path / 'a[1].pth.k1_3xy9z.tmp']
    for path in (left, other, *mine):
        path.write_bytes(b'half')
    with atomic_write(tmp_path / 'a[1].pth') as slow:
        slow.write_text('slow')
        write_text(tmp_path / 'a[1].pth', 'quick')
        assert slow.read_text() == 'slow', "a file that is being written is nobody else's"
        assert not left.exists()
    assert (tmp_path / 'a[1].pth').read_text() == 'slow'
    assert all(path.exists() for path in (other, *mine)), 'files of other names are not ours'


def test_leftovers_of_a_folder_go_by_name(tmp_path):
    checkpoint, other = tmp_path / '.epoch_7.pth.aaaaaaaa.tmp', tmp_path / '.notes.txt.aaaaaaaa.tmp'
    for path in (checkpoint, other):
        path.write_bytes(b'half')
    remove_leftovers(tmp_path, '*.pth')
    assert list(tmp_path.iterdir()) == [other]


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
