import pytest
from mmengine.runner import Runner

from auglocal_mm.errors import InputError


@pytest.mark.parametrize('interval', [1, 50])
def test_a_training_that_diverges_ends_and_leaves_no_checkpoint(tiny_config, tmp_path, interval):
    settings = {'optim_wrapper.optimizer.lr': 1e30, 'default_hooks.logger.interval': interval}
    with pytest.raises(InputError, match=r'loss.*\b(nan|inf)\b.*\b\d\b.*\b1\b'):
        Runner.from_cfg(tiny_config('bp', **settings)).train()
    assert not list((tmp_path / 'work_dir').glob('*.pth'))
