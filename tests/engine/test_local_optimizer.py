import copy

import pytest
import torch
from mmengine.optim import MultiStepLR, OptimWrapper, OptimWrapperDict
from torch import nn

from auglocal_mm.engine.local_optimizer import LocalOptimizer
from auglocal_mm.engine.optim_wrappers import AmpOptimWrapper
from auglocal_mm.errors import InputError
from auglocal_mm.partition import LocalModule


def make_modules(number: int = 3) -> list[LocalModule]:
    torch.manual_seed(0)
    return [
        LocalModule(f'm{i}', nn.Sequential(nn.Linear(4, 4)).double(), nn.Linear(4, 2).double()) for i in range(number)
    ]


def parameters(modules) -> list[nn.Parameter]:
    return [p for module in modules for p in module.parameters()]


def sgd(modules, **options):
    return torch.optim.SGD(parameters(modules), lr=0.1, momentum=0.9, weight_decay=0.01, **options)


def loss_of(module: LocalModule, scale: float = 1.0) -> torch.Tensor:
    inputs = torch.arange(8, dtype=torch.float64).view(2, 4) / 8
    return scale * module.head(module.layers(inputs)).square().sum()


def assert_equal(modules, others) -> None:
    assert all(map(torch.equal, parameters(modules), parameters(others)))


@pytest.mark.parametrize('optimizer', [torch.optim.SGD, torch.optim.AdamW])
def test_shares_step_like_the_whole_optimizer(optimizer):
    local, reference = make_modules(), make_modules()
    options = {'momentum': 0.9} if optimizer is torch.optim.SGD else {}
    whole = optimizer(parameters(reference), lr=0.01, **options)
    shared = LocalOptimizer(OptimWrapper(optimizer(parameters(local), lr=0.01, **options)), local)
    for _ in range(5):
        for module in reference:
            loss_of(module).backward()
        whole.step()
        whole.zero_grad()
        for number, module in enumerate(local):
            shared.update(number, loss_of(module))
    assert_equal(local, reference)


def test_state_lies_in_the_whole_optimizer():
    modules = make_modules()
    optimizer = sgd(modules)
    shared = LocalOptimizer(OptimWrapper(optimizer), modules)
    shared.update(0, loss_of(modules[0]))
    assert set(optimizer.state) == set(modules[0].parameters())
    resumed = sgd(make_modules())
    resumed.load_state_dict(optimizer.state_dict())  # what a checkpoint does
    assert len(resumed.state) == 4


def test_gradients_are_freed_and_other_modules_left_alone():
    modules = make_modules()
    before = copy.deepcopy(parameters(modules[1:]))
    LocalOptimizer(OptimWrapper(sgd(modules)), modules).update(0, loss_of(modules[0]))
    assert all(p.grad is None for p in parameters(modules))
    assert all(map(torch.equal, parameters(modules[1:]), before))


def test_follows_the_scheduled_learning_rate():
    modules, reference = make_modules(), make_modules()
    optimizer, plain = sgd(modules), sgd(reference)
    shared = LocalOptimizer(OptimWrapper(optimizer), modules)
    for rate in (0.1, 0.02, 0.5):
        for each in (optimizer, plain):
            each.param_groups[0]['lr'] = rate
        for number, module in enumerate(modules):
            shared.update(number, loss_of(module))
            loss_of(reference[number]).backward()
        plain.step()
        plain.zero_grad()
    assert_equal(modules, reference)


def test_parameter_groups_keep_their_own_settings():
    modules, reference = make_modules(2), make_modules(2)

    def grouped(owner):
        names = [list(m.parameters()) for m in owner]
        first = [{'params': [p], 'lr': 0.1 * (i + 1)} for i, p in enumerate(names[0] + names[1])]
        return torch.optim.SGD(first, lr=0.1)

    optimizer, plain = grouped(modules), grouped(reference)
    shared = LocalOptimizer(OptimWrapper(optimizer), modules)
    for number, module in enumerate(modules):
        shared.update(number, loss_of(module))
        loss_of(reference[number]).backward()
    plain.step()
    assert_equal(modules, reference)


@pytest.mark.parametrize('scheduled', [False, True])
def test_gradient_accumulation_counts_iterations(scheduled):
    modules, reference = make_modules(), make_modules()
    wrapper = OptimWrapper(sgd(modules), accumulative_counts=2)
    if scheduled:
        MultiStepLR(wrapper, milestones=[100])  # replaces the wrapper's step by a counting one
    wrapper.initialize_count_status(nn.Identity(), 0, 5)  # the fifth iteration stands alone
    shared, plain = LocalOptimizer(wrapper, modules), sgd(reference)
    for iteration in range(5):
        for number, module in enumerate(modules):
            shared.update(number, loss_of(module, scale=iteration + 1.0))
            (loss_of(reference[number], scale=iteration + 1.0) / (1 if iteration == 4 else 2)).backward()
        if iteration in (1, 3, 4):
            plain.step()
            plain.zero_grad()
        assert_equal(modules, reference)


def test_clipping_takes_the_norm_of_one_module():
    modules, reference = make_modules(2), make_modules(2)
    shared = LocalOptimizer(OptimWrapper(sgd(modules), clip_grad={'max_norm': 0.5}), modules)
    plain = sgd(reference)
    for number, scale in enumerate((1000.0, 0.01)):  # one noisy module, one quiet one
        shared.update(number, loss_of(modules[number], scale))
        loss_of(reference[number], scale).backward()
        torch.nn.utils.clip_grad_norm_(reference[number].parameters(), 0.5)
    plain.step()
    assert_equal(modules, reference)


def test_clipping_in_float16_takes_the_norm_without_the_loss_scale():
    modules, reference = make_modules(1), make_modules(1)
    options = {'init_scale': 2.0**10}
    wrapper = AmpOptimWrapper(
        dtype='float16', loss_scale=options, optimizer=sgd(modules), clip_grad={'max_norm': 1e-3, 'norm_type': 2}
    )
    shared, plain = LocalOptimizer(wrapper, modules), sgd(reference)
    shared.update(0, loss_of(modules[0]))
    loss_of(reference[0]).backward()
    norm = torch.nn.utils.clip_grad_norm_(reference[0].parameters(), 1e-3)
    plain.step()
    assert_equal(modules, reference)
    assert torch.equal(shared.take_norms(), norm.view(1, 1))


def test_norms_are_kept_on_the_device_until_they_are_taken():
    modules = make_modules(2)
    shared = LocalOptimizer(OptimWrapper(sgd(modules), clip_grad={'max_norm': 0.5}), modules)
    expected = []
    for _ in range(2):
        for number, module in enumerate(modules):
            gradients = torch.autograd.grad(loss_of(module), module.parameters())
            expected.append(torch.cat([g.flatten() for g in gradients]).norm())
            shared.update(number, loss_of(module))
    assert torch.allclose(shared.take_norms(), torch.stack(expected).view(2, 2))
    assert not len(shared.take_norms()), 'each is given once'
    values = LocalOptimizer(OptimWrapper(sgd(modules), clip_grad={'type': 'value', 'clip_value': 0.1}), modules)
    values.update(0, loss_of(modules[0]))
    assert not len(values.take_norms())


def test_a_share_has_all_attributes_of_the_whole_optimizer():
    """The fused one's scaler asks for some that are not pickled."""
    modules = make_modules()
    optimizer = sgd(modules, fused=True)
    shared = LocalOptimizer(OptimWrapper(optimizer), modules)
    for share in shared.shares:
        assert vars(share.wrapper.optimizer).keys() == vars(optimizer).keys()
        assert share.wrapper.optimizer._step_supports_amp_scaling
        assert share.wrapper.optimizer.state is optimizer.state


@pytest.mark.parametrize('fused', [False, True])
def test_an_overflow_skips_one_module_alone(fused):
    modules = make_modules(2)
    for module in modules:
        module.layers.float()
        module.head.float()
    inputs = torch.ones(2, 4)
    wrapper = AmpOptimWrapper(dtype='float16', optimizer=sgd(modules, fused=fused))
    shared = LocalOptimizer(wrapper, modules)
    before = copy.deepcopy(parameters(modules))
    for number, scale in enumerate((float('inf'), 1.0)):
        shared.update(number, scale * modules[number].head(modules[number].layers(inputs)).sum())
    unchanged = [torch.equal(p, old) for p, old in zip(parameters(modules), before, strict=True)]
    assert unchanged == [True] * 4 + [False] * 4
    scales = [state['scale'] for state in shared.scaler_states()]
    assert scales[0] == scales[1] / 2
    again = LocalOptimizer(AmpOptimWrapper(dtype='float16', optimizer=sgd(modules)), modules)
    again.load_scaler_states(shared.scaler_states())
    assert [state['scale'] for state in again.scaler_states()] == scales


def test_refuses_a_wrapper_that_cannot_be_shared():
    modules = make_modules()
    with pytest.raises(InputError, match='OptimWrapperDict'):
        LocalOptimizer(OptimWrapperDict(a=OptimWrapper(sgd(modules))), modules)


def test_refuses_a_parameter_of_two_modules():
    modules = make_modules(2)
    modules[1].layers[0].weight = modules[0].layers[0].weight
    unique = list(dict.fromkeys(parameters(modules)))
    with pytest.raises(InputError, match='m0 and m1 share a parameter'):
        LocalOptimizer(OptimWrapper(torch.optim.SGD(unique, lr=0.1)), modules)


def test_refuses_a_parameter_of_no_module():
    modules = make_modules(2)
    stranger = nn.Parameter(torch.zeros(7))
    with pytest.raises(InputError, match=r'belong to no local module.*\(7,\)'):
        LocalOptimizer(OptimWrapper(torch.optim.SGD([*parameters(modules), stranger], lr=0.1)), modules)
