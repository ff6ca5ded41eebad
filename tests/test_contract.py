"""Networks that are no ResNets go through the same code: partition, isolation, training, export and plans."""

import pytest
import tests_toys  # noqa: F401  (registers them)
import torch
from mmengine.runner import Runner
from tests_models import classifier
from torch import Tensor

from auglocal_mm.analysis import layer_cka
from auglocal_mm.analysis.trained_model import layer_outputs, pooled_outputs
from auglocal_mm.errors import InputError
from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.local.state import State, Targets
from auglocal_mm.local.step import local_step
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.planning.costs.network_cost import measure_network
from auglocal_mm.planning.search.plans import backpropagation, cheapest_plan
from auglocal_mm.planning.training_config import to_config

TOYS = {
    'pyramid': dict(
        backbone=dict(type='TappedNetwork'),
        head=dict(type='PyramidHead', num_classes=3),
        auxiliary_heads=dict(type='AugLocalHead', depth=2),
    ),
    'tokens': dict(
        backbone=dict(type='TokenNetwork'),
        head=dict(type='ClassTokenHead', num_classes=3),
        auxiliary_heads=dict(type='AugLocalHead', depth=2),
    ),
    'torchvision': dict(
        backbone=dict(type='TorchvisionBackbone', name='vit_b_32', options=dict(image_size=32)),
        head=dict(type='ClassTokenHead', num_classes=3),
        auxiliary_heads=dict(type='AugLocalHead', depth=2, classifier=dict(type='ClassTokenHead', norm=True)),
        partition=dict(num_local_modules=3),
    ),
}
SMALL = ['pyramid', 'tokens']


def build(toy: str, local: bool = True, **settings):
    parts = {key: value for key, value in TOYS[toy].items() if local or key not in ('auxiliary_heads', 'partition')}
    torch.manual_seed(0)
    return classifier(**parts, **settings)


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, 32, 32, dtype=dtype, generator=generator), torch.arange(6) % 3


@pytest.mark.parametrize('toy', TOYS)
def test_no_gradient_crosses_a_module_boundary(toy):
    model = build(toy).double()
    errors = isolation_errors(model.local_modules(), *batch())
    assert len(errors) == (3 if toy == 'torchvision' else len(model.layers))
    assert max(errors) < 1e-9
    local_step(model.local_modules(), *batch(), lambda _, loss: loss.backward())
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


@pytest.mark.parametrize('toy', SMALL)
def test_one_module_is_backpropagation(toy):
    model = build(toy, local=False).double()
    images, labels = batch()
    model(images, labels, mode='loss')['loss'].backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    (module,) = model.local_modules()
    module.loss(module(State(images)), Targets(labels))['loss'].backward()
    assert all(map(torch.equal, expected, [parameter.grad for parameter in model.parameters()]))


@pytest.mark.parametrize('checkpointed', ['all', 'norms'])
@pytest.mark.parametrize('toy', SMALL)
def test_recomputed_layers_give_the_same_gradients(toy, checkpointed):
    gradients = []
    for settings in ({}, dict(checkpointed=checkpointed)):
        model = build(toy, **settings).double()
        local_step(model.local_modules(), *batch(), lambda _, loss: loss.backward())
        gradients.append([parameter.grad for parameter in model.parameters()])
    assert all(map(torch.equal, *gradients))


def test_a_head_reads_the_taps_that_its_backbone_has():
    taps = build('pyramid').local_modules()[2]
    assert [layer.tap for layer in taps.layers] == ['C4']
    assert [layer.tap for layer in classifier(TOYS['pyramid']['backbone']).layers] == [None] * 4
    with pytest.raises(InputError, match=r"tap 'C\d' of CIFARResNet, which has none"):
        classifier(dict(type='CIFARResNet', depth=20), head=TOYS['pyramid']['head'])


@pytest.mark.parametrize('head', ['DGLHead', 'PredSimHead', 'InfoProHead'])
def test_heads_of_convolutions_refuse_tokens(head):
    with pytest.raises(InputError, match=r'embedding.*\(N, 17, 12\)'):
        classifier(**{**TOYS['tokens'], 'auxiliary_heads': dict(type=head)})


@pytest.mark.parametrize('toy', SMALL)
def test_they_train_and_are_exported_under_their_own_names(tiny_config, tmp_path, toy):
    parts, config = TOYS[toy], tiny_config()
    for key in ('backbone', 'head', 'auxiliary_heads'):
        config.model[key] = dict(parts[key])
    config.model.image_size = 32
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    trained = runner.model.backbone.state_dict()
    assert not any(torch.equal(trained[name], before[f'backbone.{name}']) for name in trained if 'weight' in name)
    exported = torch.load(tmp_path / 'work_dir' / 'backbone.pth')
    assert {name: value for name, value in exported.items() if not name.startswith('fc.')}.keys() == trained.keys()
    assert all(torch.equal(exported[name], value) for name, value in trained.items())


@pytest.mark.parametrize('toy', SMALL)
def test_plans_hold_what_a_real_step_holds(toy):
    plain = build(toy, local=False, image_size=64) if toy == 'pyramid' else build(toy, local=False)
    auxiliary_heads = {key: value for key, value in TOYS[toy]['auxiliary_heads'].items() if key == 'classifier'}
    costs = measure_network(plain, 64 if toy == 'pyramid' else 32, [2], head=auxiliary_heads)
    reference = backpropagation(costs)
    plans = [cheapest_plan(costs, share * reference.activations) for share in (1.0, 0.9, 0.6, 0.44)]
    assert any(plan and len(plan.modules) > 1 for plan in plans)
    for plan in filter(None, plans):
        assert plan.activations == pytest.approx(measured(toy, plan, costs.names, auxiliary_heads), rel=0.05)


def measured(toy: str, plan, names, auxiliary_heads) -> float:
    settings = to_config(plan, names, {}, auxiliary_heads)['model']
    heads, size = settings.pop('auxiliary_heads', None), 64 if toy == 'pyramid' else 32
    parts = {**TOYS[toy], 'auxiliary_heads': heads}
    model = classifier(**parts, image_size=size, **settings).train()
    images, labels = torch.randn(8, 3, size, size), torch.arange(8) % 3

    def update(index: int, loss: Tensor) -> None:
        loss.backward()
        model.zero_grad(set_to_none=True)

    with ActivationMeter() as meter:
        meter.follow(images)
        local_step(model.local_modules(), images, labels, update)
    return meter.peak / 8


@pytest.mark.parametrize('toy', SMALL)
def test_layers_are_compared_and_probed_by_their_channels(toy):
    preprocessor = dict(type='ImgDataPreprocessor', mean=[127.0] * 3, std=[64.0] * 3)
    model = build(toy, data_preprocessor=preprocessor).eval()
    images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    outputs, pooled = list(layer_outputs(model, images)), pooled_outputs(model, images)
    for features, vectors in zip(outputs, pooled, strict=True):
        expected = features.mean((2, 3)) if toy == 'pyramid' else features.mean(1)
        torch.testing.assert_close(vectors, expected)
    assert layer_cka(model, model, [(images, torch.arange(4))]).diagonal().tolist() == pytest.approx(
        [1.0] * len(pooled)
    )
