"""One optimizer for each local module, built through MMEngine, against plain PyTorch in float64."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import Head, LocalLayer, LocalModule, local_modules
from auglocal_mm.local.state import State, Targets
from auglocal_mm.runtime import LocalOptimWrapper

SGD = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01)


class Squares(Head):
    """The sum of squares of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def loss(self, state: State, targets: Targets) -> dict[str, torch.Tensor]:
        return {'loss': self.fc(state.features).square().sum()}


class Toy(nn.Module):
    """Local modules of one linear layer each."""

    def __init__(self, num_modules: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.ModuleList(nn.Linear(4, 4) for _ in range(num_modules))
        self.auxiliary_heads = nn.ModuleList(Squares() for _ in range(num_modules - 1))
        self.head = Squares()
        self.double()

    def local_modules(self) -> list[LocalModule]:
        layers = [LocalLayer(f'm{index}', layer) for index, layer in enumerate(self.backbone)]
        return local_modules(layers, range(1, len(layers)), [*self.auxiliary_heads, self.head])

    def loss_of(self, index: int, scale: float = 1.0) -> torch.Tensor:
        module = self.local_modules()[index]
        inputs = torch.arange(8, dtype=module.head.fc.weight.dtype).view(2, 4) / 8
        return scale * module.loss(module(State(inputs)), Targets(None))['loss']


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        yield


def wrap(model: nn.Module, **settings) -> LocalOptimWrapper:
    config = dict(constructor='LocalOptimWrapperConstructor', type='OptimWrapper', optimizer=dict(SGD))
    return build_optim_wrapper(model, {**config, **settings})


def plain(model: nn.Module, optimizer=SGD) -> torch.optim.Optimizer:
    options = {key: value for key, value in optimizer.items() if key != 'type'}
    return getattr(torch.optim, optimizer['type'])(model.parameters(), **options)


def assert_equal(first: nn.Module, second: nn.Module) -> None:
    assert all(map(torch.equal, first.parameters(), second.parameters()))


@pytest.mark.parametrize('optimizer', [SGD, dict(type='AdamW', lr=0.01)])
def test_one_optimizer_per_module_steps_like_a_single_one(optimizer):
    local, reference = Toy(), Toy()
    wrapper, whole = wrap(local, optimizer=dict(optimizer)), plain(reference, optimizer)
    for _ in range(5):
        for index in range(3):
            wrapper.update_module(index, local.loss_of(index))
            reference.loss_of(index).backward()
        whole.step()
        whole.zero_grad()
    assert_equal(local, reference)


def test_each_wrapper_has_the_parameters_of_its_own_module():
    model = Toy()
    wrapper = wrap(model)
    assert list(wrapper.keys()) == ['m0', 'm1', 'm2']
    wrapper.update_module(0, model.loss_of(0))
    assert set(wrapper['m0'].optimizer.state) == set(model.local_modules()[0].parameters())
    assert not wrapper['m1'].optimizer.state
    resumed = wrap(Toy())
    resumed.load_state_dict(copy.deepcopy(wrapper.state_dict()))  # what a checkpoint does
    assert [len(each.optimizer.state) for each in resumed.values()] == [4, 0, 0]


def test_without_auxiliary_heads_there_is_one_optimizer():
    model = Toy(1)
    model.auxiliary_heads = None
    wrapper = wrap(model, clip_grad=dict(max_norm=1.0))
    assert not isinstance(wrapper, LocalOptimWrapper)
    assert wrapper.clip_grad_kwargs == dict(max_norm=1.0)
    assert len(wrapper.param_groups[0]['params']) == 4


def test_gradients_are_freed_and_other_modules_left_alone():
    model = Toy()
    before = copy.deepcopy(model)
    wrap(model).update_module(0, model.loss_of(0))
    assert all(parameter.grad is None for parameter in model.parameters())
    changed = [name for name, p in model.named_parameters() if not torch.equal(p, before.get_parameter(name))]
    assert {name.rsplit('.', 1)[0] for name in changed} == {'backbone.0', 'auxiliary_heads.0.fc'}


def test_parameter_groups_follow_names_in_the_model():
    model, reference = Toy(), Toy()
    wrapper = wrap(model, paramwise_cfg=dict(custom_keys={'backbone.1': dict(lr_mult=0.1)}, bias_decay_mult=0.0))
    groups = [
        dict(
            params=[p],
            lr=0.01 if name.startswith('backbone.1') else 0.1,
            weight_decay=0.0 if name.endswith('bias') and 'backbone.1' not in name else 0.01,
        )
        for name, p in reference.named_parameters()
    ]
    whole = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    for index in range(3):
        wrapper.update_module(index, model.loss_of(index))
        reference.loss_of(index).backward()
    whole.step()
    assert_equal(model, reference)


def test_gradient_accumulation_counts_iterations():
    model, reference = Toy(), Toy()
    wrapper, whole = wrap(model, accumulative_counts=2), plain(reference)
    wrapper.initialize_count_status(model, 0, 5)  # the fifth iteration has no partner
    for iteration in range(5):
        for index in range(3):
            wrapper.update_module(index, model.loss_of(index, scale=iteration + 1.0))
            (reference.loss_of(index, scale=iteration + 1.0) / (1 if iteration == 4 else 2)).backward()
        if iteration in (1, 3, 4):
            whole.step()
            whole.zero_grad()
        assert_equal(model, reference)


def test_clipping_takes_the_norm_of_one_module():
    model, reference = Toy(2), Toy(2)
    wrapper, whole = wrap(model, clip_grad=dict(max_norm=0.5)), plain(reference)
    for index, scale in enumerate((1000.0, 0.01)):  # one noisy module, one quiet one
        wrapper.update_module(index, model.loss_of(index, scale))
        reference.loss_of(index, scale).backward()
        torch.nn.utils.clip_grad_norm_(reference.local_modules()[index].parameters(), 0.5)
    whole.step()
    assert_equal(model, reference)


def test_clipping_in_float16_takes_the_norm_without_the_loss_scale():
    model, reference = Toy(1), Toy(1)
    amp = dict(type='AmpOptimWrapper', dtype='float16', loss_scale=dict(init_scale=2.0**10))
    wrapper, whole = wrap(model, **amp, clip_grad=dict(max_norm=1e-3, norm_type=2)), plain(reference)
    wrapper.update_module(0, model.loss_of(0))
    reference.loss_of(0).backward()
    norm = torch.nn.utils.clip_grad_norm_(reference.parameters(), 1e-3)
    whole.step()
    assert_equal(model, reference)
    assert torch.equal(wrapper.take_norms(), norm.view(1, 1))


def test_norms_are_collected_until_they_are_taken():
    model, expected = Toy(2), []
    wrapper = wrap(model, clip_grad=dict(max_norm=0.5))
    for _ in range(2):
        for index, module in enumerate(model.local_modules()):
            gradients = torch.autograd.grad(model.loss_of(index), list(module.parameters()))
            expected.append(torch.cat([gradient.flatten() for gradient in gradients]).norm())
            wrapper.update_module(index, model.loss_of(index))
    assert torch.allclose(wrapper.take_norms(), torch.stack(expected).view(2, 2))
    assert not len(wrapper.take_norms()), 'each norm is returned once'
    values = wrap(model, clip_grad=dict(type='value', clip_value=0.1))
    values.update_module(0, model.loss_of(0))
    assert not len(values.take_norms())


@pytest.mark.parametrize('fused', [False, True])
def test_an_overflow_skips_one_module_alone(fused):
    model = Toy(2).float()
    wrapper = wrap(model, type='AmpOptimWrapper', dtype='float16', optimizer=dict(SGD, fused=fused))
    before = copy.deepcopy(model)
    for index, scale in enumerate((float('inf'), 1.0)):
        wrapper.update_module(index, model.loss_of(index, scale))
    unchanged = [
        all(map(torch.equal, old.parameters(), new.parameters()))
        for old, new in zip(before.local_modules(), model.local_modules(), strict=True)
    ]
    assert unchanged == [True, False]
    scales = [state['loss_scaler']['scale'] for state in wrapper.state_dict().values()]
    assert scales[0] == scales[1] / 2


def test_the_log_gets_one_learning_rate_and_one_momentum():
    wrapper = wrap(Toy())
    assert wrapper.get_lr()['lr'] == [0.1]
    assert wrapper.get_momentum()['momentum'] == [0.9]


def test_a_parameter_of_two_modules_is_refused():
    model = Toy(2)
    model.backbone[1].weight = model.backbone[0].weight
    with pytest.raises(InputError, match=r'\bm0\b.*\bm1\b.*split_points'):
        wrap(model)


def test_a_parameter_of_no_module_is_refused():
    model = Toy(2)
    model.stranger = nn.Parameter(torch.zeros(7))
    with pytest.raises(InputError, match=r'\b1\b.*\(7,\).*partition\.chain'):
        wrap(model)
