import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch._dynamo.utils import counters

from auglocal_mm.errors import InputError
from auglocal_mm.runtime.compile import compile_modules, compile_settings

SETTINGS = {  # three layers in two local modules, with one recomputed layer in the first
    'train_cfg.max_epochs': 1,
    'model.backbone': dict(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,)),
    'model.auxiliary_heads.depth': 2,
    'model.partition': dict(num_local_modules=2),
    'model.checkpointed': ['layer1.0'],
}


def train(config) -> dict[str, torch.Tensor]:
    runner = Runner.from_cfg(config)
    runner.train()
    return runner.model.state_dict()


def test_compiled_modules_learn_the_same(tiny_config):
    plain = train(tiny_config(**SETTINGS))
    torch._dynamo.reset()
    counters.clear()
    compiled = train(tiny_config(**SETTINGS, compile=dict(backend='aot_eager')))
    assert counters['stats']['unique_graphs'] >= 4  # the layers and the head of each
    assert plain.keys() == compiled.keys()
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize(('given', 'settings'), [(None, None), (False, None), (True, {}), ({'dynamic': False},) * 2])
def test_settings_are_those_of_mmengine(given, settings):
    assert compile_settings(Config(dict(compile=given))) == settings


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ('yes', "compile.*'yes'.*True"),
        (dict(mod='max-autotune'), "compile.*'mod'"),
        (dict(backend='fast'), "compile.*backend.*'fast'"),
        (dict(mode='fast'), 'compile.*mode.*fast'),
    ],
)
def test_other_settings_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        compile_settings(Config(dict(compile=given)))


def test_cuda_graphs_are_refused():
    with pytest.raises(InputError, match=r"compile\.mode.*'max-autotune'.*'max-autotune-no-cudagraphs'"):
        compile_modules([], dict(mode='max-autotune'))
