import pytest
import torch
from mmengine.runner import Runner

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


def test_another_number_of_processes_is_told(tiny_config, tmp_path):
    config = tiny_config('bp', **{'train_cfg.max_epochs': 1})
    Runner.from_cfg(config).train()
    checkpoint = torch.load(f'{config.work_dir}/epoch_1.pth', weights_only=False)
    assert checkpoint['meta']['world_size'] == 1
    checkpoint['meta']['world_size'] = 4
    torch.save(checkpoint, tmp_path / 'four.pth')
    for path, told in ((f'{config.work_dir}/epoch_1.pth', False), (tmp_path / 'four.pth', True)):
        work_dir = tmp_path / path.split('/')[-1] if isinstance(path, str) else tmp_path / 'resumed'
        Runner.from_cfg(tiny_config('bp', load_from=str(path), resume=True, work_dir=str(work_dir))).train()
        (log,) = work_dir.glob('*/*.log')
        assert ('4 processes trained before, and 1 do now' in log.read_text()) == told
