import pytest
import torch
from mmengine.runner import Runner

from auglocal_mm.engine.hooks import FreezeAuxiliaryHook
from auglocal_mm.errors import InputError


@pytest.mark.parametrize('depth', [2, 3])
def test_hidden_layers_stop_learning_one_after_the_other(tiny_config, depth):
    hooks = [dict(type='AugLocalHook'), dict(type='FreezeAuxiliaryHook', start=0.5, end=1.0)]
    runner = Runner.from_cfg(tiny_config(**{'custom_hooks': hooks, 'model.auxiliary_heads.depth': depth}))
    runner.train()
    first = torch.load(f'{runner.work_dir}/epoch_1.pth', weights_only=False)['state_dict']
    second = runner.model.state_dict()
    start = Runner.from_cfg(tiny_config(**{'model.auxiliary_heads.depth': depth})).model
    start.init_weights()
    # In the second of two epochs the first of each head's hidden layers is frozen.
    for m in range(5):
        names = [f'auxiliary_heads.{m}.layers.{layer}.conv1.weight' for layer in range(depth - 1)]
        assert [torch.equal(first[name], second[name]) for name in names] == [True, False][: depth - 1]
        assert all(not torch.equal(first[name], start.state_dict()[name]) for name in names)
    assert not torch.equal(first['backbone.conv1.weight'], second['backbone.conv1.weight'])


def test_bad_settings_are_refused(tiny_config):
    with pytest.raises(InputError, match=r'start=0\.5.*end=0\.5'):
        FreezeAuxiliaryHook(0.5, 0.5)
    with pytest.raises(InputError, match=r'start=5.*end=9'):
        FreezeAuxiliaryHook(5, 9)
    with pytest.raises(InputError, match=r'FreezeAuxiliaryHook.*AugLocalHead'):
        Runner.from_cfg(tiny_config('bp', custom_hooks=[dict(type='FreezeAuxiliaryHook')])).train()
