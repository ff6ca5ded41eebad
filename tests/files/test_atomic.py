import os
from pathlib import Path
from typing import Any

import pytest

from auglocal_mm.analysis.training_log import read_curves
from auglocal_mm.datasets.coco_file import read_annotations
from auglocal_mm.datasets.read_image import read_image
from auglocal_mm.engine.checkpoint import latest_checkpoint
from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches_file import VERSION
from auglocal_mm.files.atomic import atomic_folder, atomic_write, is_there, remove_leftovers, write_json, write_text
from auglocal_mm.files.json_file import read_json
from auglocal_mm.settings.config_file import read_config_file
from auglocal_mm.studies import read_results
from auglocal_mm.transfer.evaluation_log import last_evaluation
from auglocal_mm.transfer.evaluation_record import read_evaluations
from auglocal_mm.transfer.pretraining import read_pretraining
from auglocal_mm.transfer.recorded_matches import MatchesRecord, read_matches
from auglocal_mm.transfer.run_config import RunConfig, read_run_config
from auglocal_mm.weights.backbone_file import check_sha256
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights

LOG = '20250101_000000/vis_data/scalars.json'
DETECTOR = RunConfig(Path('a.py'), {'model': {'backbone': {'init_cfg': {'checkpoint': 'nowhere.pth'}}}})

MATCHES = MatchesRecord(file='matches_a.npz', sha256='', version=VERSION)


def read_child(base: Path) -> Any:
    """A config that inherits from ``base``."""
    (base.parent / 'child.py').write_text(f'_base_ = {base.name!r}')
    return read_config_file(str(base.parent / 'child.py'))


READERS = {
    'config': ('a.py', lambda path: read_config_file(str(path))),
    'base': ('a.py', read_child),
    'base of another kind': ('a.yaml', read_child),
    'checkpoint': ('a.pth', read_weights),
    'safetensors': ('a.safetensors', read_weights),
    'last_checkpoint': ('last_checkpoint', lambda path: latest_checkpoint(str(path.parent))),
    'image': ('a.jpg', lambda path: read_image(str(path))),
    'annotations': ('a.json', lambda path: read_annotations(str(path))),
    'record': ('a.json', lambda path: read_json(path, Any, 'write it again')),
    'backbone.json': ('backbone.json', read_backbone_record),
    'its checksum': ('backbone.json', lambda path: check_sha256(path.with_suffix('.pth'))),
    'pretraining.json': ('pretraining.json', lambda path: read_pretraining(DETECTOR, path.parent)),
    'evaluation.json': ('evaluation.json', lambda path: read_evaluations(path.parent)),
    'matches': ('matches_a.npz', lambda path: read_matches(path.parent, MATCHES)),
    'log': (LOG, lambda path: last_evaluation(path.parents[2])),
    'curves': (LOG, lambda path: read_curves(path.parents[2])),
    'test run': ('20250101/20250101.json', lambda path: last_evaluation(path.parents[1])),
    'config of a run': ('1/vis_data/config.py', lambda path: read_run_config(path.parents[2], path.parents[1])),
    'results': ('a.json', read_results),
}


@pytest.mark.parametrize('reader', READERS)
def test_no_reader_waits_for_a_pipe(tmp_path, ten_seconds, reader):
    name, read = READERS[reader]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and 'pipe' in str(caught.value)


def test_only_regular_files_count_as_there(tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'to_file').symlink_to('file')
    (tmp_path / 'to_nothing').symlink_to('nothing')
    assert [is_there(tmp_path / name) for name in ('file', 'to_file', 'nothing', 'to_nothing')] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(('target', 'kind'), [('.', 'folder'), ('/dev/zero', 'device')])
def test_folders_and_devices_are_refused(tmp_path, target, kind):
    (tmp_path / 'link').symlink_to(target)
    with pytest.raises(InputError, match=rf'{tmp_path}/link\b.*\b{kind}\b'):
        is_there(tmp_path / 'link')


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


def test_the_next_write_removes_what_a_killed_one_left_and_spares_a_live_one(tmp_path):
    left, other = tmp_path / '.a[1].pth.k1_3xy9z.tmp', tmp_path / '.a1.pth.k1_3xy9z.tmp'
    mine = [tmp_path / '.a[1].pth.tmp', tmp_path / 'a[1].pth.k1_3xy9z.tmp']
    for path in (left, other, *mine):
        path.write_bytes(b'half')
    with atomic_write(tmp_path / 'a[1].pth') as slow:
        slow.write_text('slow')
        write_text(tmp_path / 'a[1].pth', 'quick')
        assert slow.read_text() == 'slow', 'a file that is being written stays'
        assert not left.exists()
    assert (tmp_path / 'a[1].pth').read_text() == 'slow'
    assert all(path.exists() for path in (other, *mine)), 'files with other names stay'


def test_the_next_folder_removes_what_a_killed_write_left_and_spares_a_live_one(tmp_path):
    left, other = tmp_path / '.a[1].k1_3xy9z.tmp', tmp_path / '.a1.k1_3xy9z.tmp'
    for path in (left, other):
        path.mkdir()
        (path / 'half').write_text('half')
    with atomic_folder(tmp_path / 'a[1]') as slow:
        with atomic_folder(tmp_path / 'a[1]') as quick:
            (quick / 'file').write_text('quick')
        assert slow.is_dir(), 'a folder that is being written stays'
        assert not left.exists()
        (tmp_path / 'a[1]' / 'file').unlink()  # only an empty one is replaced
    assert other.is_dir() and (tmp_path / 'a[1]').is_dir()


def test_leftovers_are_removed_by_name(tmp_path):
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
    with pytest.raises(InputError, match=rf'{path}\b.*No space left on device'):
        write_text(path, 'new')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=f'{tmp_path}/file/inside'):
        write_text(tmp_path / 'file' / 'inside', 'x')


def test_a_folder_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match=rf'{tmp_path}\b.*\bfolder\b'):
        write_text(tmp_path, 'text')
