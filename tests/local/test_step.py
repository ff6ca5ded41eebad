import itertools
import weakref

import pytest
import torch
from torch import Tensor, nn

from auglocal_mm.local.isolation import isolation_errors
from auglocal_mm.local.module import LocalLayer, LocalModule
from auglocal_mm.local.state import State
from auglocal_mm.local.step import local_step
from auglocal_mm.models.heads import LinearHead


class Layer(nn.Sequential):
    """Conv, norm and ReLU in float64."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )


def make_chain(widths=(4, 6, 8), classes=3) -> list[LocalModule]:
    torch.manual_seed(0)
    channels = [3, *widths]
    return [
        LocalModule([LocalLayer(f'm{i}', Layer(a, b).double())], LinearHead(b, classes).double())
        for i, (a, b) in enumerate(itertools.pairwise(channels))
    ]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=generator)
    return inputs, torch.randint(0, 3, (6,), generator=generator)


def make_optimizer(modules):
    parameters = [p for module in modules for p in module.parameters()]
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)


def backward(index: int, loss: Tensor) -> None:
    loss.backward()


def tensors(modules) -> list[Tensor]:
    return [t.clone() for m in modules for part in (m.layers, m.head) for t in part.state_dict().values()]


def test_gradients_are_those_of_the_local_loss_alone(batch):
    modules = make_chain()
    expected, state = [], State(batch[0])
    for module in modules:
        state = module(state.detach())
        loss = nn.functional.cross_entropy(module.head(state.features), batch[1])
        expected.append(torch.autograd.grad(loss, list(module.parameters()), retain_graph=True))

    local_step(modules, *batch, backward)

    for module, gradients in zip(modules, expected, strict=True):
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            assert torch.equal(parameter.grad, gradient)


def test_no_gradient_crosses_a_module_boundary(batch):
    modules = make_chain()

    def only_own(index: int, loss: Tensor) -> None:
        loss.backward()
        for other, module in enumerate(modules):
            assert all((p.grad is not None) == (other == index) for p in module.parameters())
            for parameter in module.parameters():
                parameter.grad = None

    local_step(modules, *batch, only_own)


def test_stepping_each_module_at_once_equals_stepping_at_the_end(batch):
    at_once, at_the_end = make_chain(), make_chain()
    optimizer, whole = make_optimizer(at_once), make_optimizer(at_the_end)

    def step(index: int, loss: Tensor) -> None:
        loss.backward()
        optimizer.step()  # steps what has a gradient: this module
        optimizer.zero_grad()

    for _ in range(4):
        local_step(at_once, *batch, step)
        local_step(at_the_end, *batch, backward)
        whole.step()
        whole.zero_grad()

    assert all(map(torch.equal, tensors(at_once), tensors(at_the_end)))


def test_modules_that_are_not_due_run_forward_alone(batch):
    """Without a graph and without their heads; outputs and statistics are those of training."""
    modules, trained = make_chain(), make_chain()
    updated: list[int] = []
    graphs: list[bool] = []
    for module in modules:
        module.layers.register_forward_hook(lambda *_: graphs.append(torch.is_grad_enabled()))
    modules[1].head.register_forward_pre_hook(lambda *_: pytest.fail('the head runs'))

    def update(index: int, loss: Tensor) -> None:
        updated.append(index)
        loss.backward()

    results = local_step(modules, *batch, update, is_due=lambda index: index != 1)
    expected = local_step(trained, *batch, backward)

    assert (updated, graphs) == ([0, 2], [True, False, True])
    assert all(parameter.grad is None for parameter in modules[1].parameters())
    for index in (0, 2):
        pairs = zip(modules[index].parameters(), trained[index].parameters(), strict=True)
        assert all(torch.equal(one.grad, other.grad) for one, other in pairs)
        assert results[index] == expected[index]
    assert all(value.isnan() for value in results[1].values())
    assert all(map(torch.equal, tensors(modules), tensors(trained)))


def test_one_module_is_backpropagation(batch):
    local, reference = make_chain()[-1:], make_chain()[-1:]
    inputs = torch.randn(6, 6, 8, 8, dtype=torch.float64)
    optimizer, plain = make_optimizer(local), make_optimizer(reference)
    for _ in range(4):
        loss = nn.functional.cross_entropy(reference[0].head(reference[0](State(inputs)).features), batch[1])
        plain.zero_grad()
        loss.backward()
        plain.step()
        optimizer.zero_grad()
        result = local_step(local, inputs, batch[1], backward)
        optimizer.step()
        assert torch.equal(result[0]['loss'], loss.detach())
    assert all(map(torch.equal, tensors(local), tensors(reference)))


def test_activations_of_a_module_are_freed_before_the_next_one_runs(batch):
    modules = make_chain()
    inner: list[weakref.ref] = []

    def remember(layer, inputs, output):
        # The convolution's output is needed for the backward of the norm that follows.
        inner.append(weakref.ref(output))

    def check(layer, inputs):
        assert all(reference() is None for reference in inner), 'activations of an earlier module are still alive'

    for module in modules:
        module.layers[0].module[0].register_forward_hook(remember)
        module.layers.register_forward_pre_hook(check)

    local_step(modules, *batch, backward)

    assert len(inner) == len(modules)


def test_results_are_detached_and_complete(batch):
    results = local_step(make_chain(), *batch, backward)
    assert len(results) == 3
    for result in results:
        assert set(result) == {'loss', 'accuracy'}
        assert not any(value.requires_grad for value in result.values())
        assert 0 <= result['accuracy'] <= 100


def test_forward_and_loss_run_in_the_context_and_backward_outside(batch):
    modules = make_chain()
    for module in modules:
        module.layers.float()
        module.head.float()
    inside: list[bool] = []
    modules[0].layers.register_forward_hook(lambda *_: inside.append(torch.is_autocast_enabled('cpu')))

    def update(index: int, loss: Tensor) -> None:
        inside.append(torch.is_autocast_enabled('cpu'))
        loss.backward()

    local_step(modules[:1], batch[0].float(), batch[1], update, lambda _: torch.autocast('cpu', torch.bfloat16))
    assert inside == [True, False]


def test_isolation_check_passes_on_isolated_modules(batch):
    assert max(isolation_errors(make_chain(), *batch)) < 1e-12


def test_isolation_check_sees_a_gradient_that_crosses(batch):
    modules = make_chain()
    intruder = next(modules[0].parameters())

    class Leaking(LinearHead):
        def forward(self, features: Tensor) -> Tensor:
            return super().forward(features) * intruder.mean()

    leaking = Leaking(6, 3).double()
    errors = isolation_errors([modules[0], LocalModule(list(modules[1].layers), leaking), modules[2]], *batch)
    assert [error == float('inf') for error in errors] == [False, True, False]


def test_isolation_check_sees_gradients_of_another_loss(batch):
    modules = make_chain()
    calls = iter(range(10))
    # Another gradient in the step than in the reference, which is taken first.
    modules[1].layers[0].module[1].weight.register_hook(lambda gradient: gradient * (1 + 0.01 * next(calls)))
    assert isolation_errors(modules, *batch)[1] > 1e-3
