from types import SimpleNamespace

import pytest

from auglocal_mm.engine.divergence import divergence


@pytest.mark.parametrize('kept', [None, 'work_dir/iter_4.pth'])
def test_the_last_checkpoint_is_named_where_there_is_one(kept):
    runner = SimpleNamespace(hooks=[SimpleNamespace(), SimpleNamespace(kept=kept)])
    said = str(divergence(runner, 'the loss is nan'))
    assert 'the loss is nan' in said
    assert ('.pth' in said) == (str(kept) in said) == ('--resume' in said) == (kept is not None)
