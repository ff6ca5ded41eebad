import pytest

from auglocal_mm.engine.hooks import CheckpointHook
from auglocal_mm.engine.hooks.checkpoint_hook import AtomicBackend
from auglocal_mm.errors import InputError


def test_keeping_one_checkpoint_is_refused():
    with pytest.raises(InputError, match='max_keep_ckpts is 1'):
        CheckpointHook(max_keep_ckpts=1)
    assert CheckpointHook(max_keep_ckpts=2).backend_args == {'backend': 'atomic'}


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    AtomicBackend().put(b'old', str(path))
    with pytest.raises(TypeError):
        AtomicBackend().put('no bytes', str(path))
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]
