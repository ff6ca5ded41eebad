import pytest
import torch

from auglocal_mm.analysis import isolation
from auglocal_mm.errors import InputError
from auglocal_mm.planning.parallel.device_memory import module_memory


def test_a_crossing_gradient_is_refused_by_name(tiny_config, monkeypatch):
    monkeypatch.setattr(isolation, 'isolation_errors', lambda modules, *_: [0.0, 0.5] + [0.0] * (len(modules) - 2))
    with pytest.raises(InputError, match=r'\blayer1\.0\b'):
        isolation.check_run(tiny_config())


def test_one_module_has_no_boundary(tiny_config, capsys):
    isolation.check_run(tiny_config('bp'))
    printed = capsys.readouterr().out
    assert 'backpropagation' in printed and 'relative difference' not in printed


def test_a_chain_that_leaves_a_layer_out_is_refused(tiny_config):
    chain = [dict(stem=['conv1', 'bn1', 'relu', 'maxpool']), 'layer1.*', 'layer2.*', 'layer3.0']
    config = tiny_config(**{'model.partition': dict(chain=chain)})
    with pytest.raises(InputError, match=r'(?=.*\bResNet\b)(?=.*partition\.chain)'):
        isolation.check_run(config)


def test_the_table_names_methods_that_copy_no_layers(tiny_config, capsys):
    isolation.check_run(tiny_config(**{'model.auxiliary_heads': dict(_delete_=True, type='DGLHead')}))
    printed = capsys.readouterr().out
    assert ' DGL ' in printed and 'Isolation holds' in printed


def test_dropout_is_not_a_crossing_gradient(tiny_config, capsys):
    isolation.check_run(tiny_config(**{'model.head': dict(type='VGGHead', pooled=1, hidden=64)}))
    assert 'Isolation holds' in capsys.readouterr().out


def test_heads_of_a_share_have_two_images(tiny_config, capsys):
    heads = dict(depth=2, shallow_norm=True, batch_share=0.1)  # a BatchNorm on vectors refuses one image
    settings = {f'model.auxiliary_heads.{key}': value for key, value in heads.items()}
    isolation.check_run(tiny_config(**settings, **{'train_dataloader.batch_size': 12, 'layer_parallel': 2}))
    assert 'Isolation holds on a batch of 11' in capsys.readouterr().out


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_memory_is_that_of_the_precision_of_the_training(tiny_config, monkeypatch, dtype):
    found = []

    def measured(*args):
        with args[-1]():
            found.append(torch.ones(2, 2) @ torch.ones(2, 2))
        return module_memory(*args)

    monkeypatch.setattr(isolation, 'module_memory', measured)
    mixed = {'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': dtype}
    for settings in ({}, mixed):
        isolation.check_run(tiny_config(**settings, layer_parallel=dict(num=2, memory='1GiB')))
    assert [each.dtype for each in found] == [torch.float32, getattr(torch, dtype)]


def test_a_detector_is_refused(tiny_config):
    config = tiny_config('bp')
    config.model = dict(type='mmdet.ResNet', depth=18)
    with pytest.raises(InputError, match=r'--check.*\bResNet\b'):
        isolation.check_run(config)
