from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from auglocal_mm.engine.conflicts import refuse_conflicts
from auglocal_mm.errors import InputError
from auglocal_mm.runtime import LocalOptimWrapper

ONE = OptimWrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1))


@MODEL_WRAPPERS.register_module(name='StrangeWrapper')
class StrangeWrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


class Averaging(MMDistributedDataParallel):
    def __init__(self, module):
        nn.Module.__init__(self)
        self.module = module


def model(heads=True, with_cp=False) -> nn.Module:
    network = nn.Module()
    network.backbone = nn.Identity()
    network.backbone.with_cp = with_cp
    network.auxiliary_heads = nn.ModuleList() if heads else None
    return network


def runner(network: nn.Module, optim_wrapper=None, **config) -> SimpleNamespace:
    return SimpleNamespace(
        model=network, cfg=Config(config), optim_wrapper=optim_wrapper or LocalOptimWrapper({'m0': ONE})
    )


@pytest.mark.parametrize('network', [model(), Averaging(model())])
def test_what_goes_together_passes(network):
    refuse_conflicts(runner(network))


@pytest.mark.parametrize(
    ('run', 'words'),
    [
        (runner(StrangeWrapper(model())), 'StrangeWrapper.*model_wrapper_cfg'),
        (runner(model(heads=False)), r"auxiliary_heads=dict\(type='AugLocalHead'"),
        (runner(Averaging(model(heads=False))), r"auxiliary_heads=dict\(type='AugLocalHead'"),
        (runner(model(), ONE), r"OptimWrapper.*constructor='LocalOptimWrapperConstructor'"),
        (runner(model(), activation_checkpointing=['backbone']), 'activation_checkpointing'),
        (runner(model(with_cp=True)), r'backbone\.with_cp'),
        (runner(model(), layer_parallel=2), 'layer_parallel.*set_up_layer_parallel'),
    ],
)
def test_what_does_not_is_refused_by_name(run, words):
    with pytest.raises(InputError, match=words):
        refuse_conflicts(run)
