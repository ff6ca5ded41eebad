"""Every local learning method through the runner: it trains, and a resumed run equals one that never stopped."""

import pytest
import torch
from mmengine.runner import Runner

METHODS = {
    'DGL': dict(type='DGLHead'),
    'PredSim': dict(type='PredSimHead'),
    'InfoPro': dict(type='InfoProHead', loss_weights=dict(cross_entropy=(0.05, 0.5), reconstruction=(5.0, 0.2))),
    'MAN': dict(type='MANHead', head=dict(type='InfoProHead')),
    '3x3 convolutions': dict(type='ConvolutionHead', depth=3),
}


def train(config) -> dict[str, torch.Tensor]:
    runner = Runner.from_cfg(config)
    runner.train()
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


@pytest.mark.parametrize('heads', METHODS.values(), ids=METHODS)
def test_resume_equals_never_stopped(tiny_config, tmp_path, heads):
    settings = {'model.auxiliary_heads': {'_delete_': True, **heads}, 'model.image_size': 32}
    whole = train(tiny_config(work_dir=str(tmp_path / 'whole'), **settings))
    settings = {'model.auxiliary_heads': {'_delete_': True, **heads}, 'model.image_size': 32}
    stopped = tiny_config(work_dir=str(tmp_path / 'resumed'), **settings)
    stopped.load_from, stopped.resume = str(tmp_path / 'whole' / 'epoch_1.pth'), True
    resumed = train(stopped)
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='CIFARResNet', depth=20, widths=(8, 16, 32)),
        dict(type='TorchvisionBackbone', name='mobilenet_v2'),
    ],
    ids=lambda backbone: backbone['type'],
)
def test_other_networks_train_and_export(tiny_config, backbone):
    config = tiny_config(**{'model.backbone': {'_delete_': True, **backbone}, 'model.image_size': 32})
    runner = Runner.from_cfg(config)
    runner.train()
    exported = torch.load(f'{config.work_dir}/backbone.pth', weights_only=True)
    own = runner.model.backbone.state_dict()
    assert all(torch.equal(exported[name], own[name]) for name in own)


def test_every_method_sees_the_same_batches(tiny_config, tmp_path):
    seen = []
    for name in ('BP', 'AugLocal', 'DGL', 'InfoPro'):
        settings = {'model.auxiliary_heads': {'_delete_': True, **METHODS[name]}} if name in METHODS else {}
        method = 'bp' if name == 'BP' else 'auglocal'
        settings |= {'work_dir': str(tmp_path / name), 'model.image_size': 32}
        runner = Runner.from_cfg(tiny_config(method, **settings))
        batches: list[torch.Tensor] = []
        runner.model.backbone.conv1.register_forward_pre_hook(lambda _, inputs, b=batches: b.append(inputs[0].clone()))
        runner.train()
        seen.append(batches)
    assert len(seen[0]) > 6
    for other in seen[1:]:
        assert len(other) == len(seen[0])
        assert all(map(torch.equal, seen[0], other))
