"""What can be seen without a GPU; that replays give the same weights is checked by projects/gpu_campaign."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from tests_models import cifar_resnet, classifier

from auglocal_mm.errors import InputError
from auglocal_mm.runtime import CUDAGraphExecutor, build_executor, cuda_graph

BATCH, SMALLER = (torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])), (torch.randn(3, 3, 32, 32), torch.arange(3))
SETTINGS = dict(
    type='OptimWrapper', constructor='LocalOptimWrapperConstructor', optimizer=dict(type='SGD', lr=0.01, momentum=0.9)
)


class FakeRecording:
    made = 0

    def __init__(self, executor, batch, shapes) -> None:
        self.shapes, self.settings = shapes, executor.settings()
        FakeRecording.made += 1

    def replay(self, batch) -> str:
        return 'replayed'


def executor(**settings) -> CUDAGraphExecutor:
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2))
    wrapper = build_optim_wrapper(model, copy.deepcopy({**SETTINGS, **settings}))
    return CUDAGraphExecutor(model, model.local_modules(), wrapper)


@pytest.fixture
def gpu(monkeypatch) -> None:
    """As if there were one: the decisions of the executor, without the recording itself."""
    monkeypatch.setattr(cuda_graph, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(torch.cuda, 'get_rng_state', torch.get_rng_state)
    monkeypatch.setattr(cuda_graph, '_Recording', FakeRecording)
    monkeypatch.setattr(FakeRecording, 'made', 0)


def replays(running: CUDAGraphExecutor, *batches) -> list[bool]:
    return [running.step(*batch) == 'replayed' for batch in batches]


def test_a_cpu_is_refused():
    with pytest.raises(InputError, match=r'CUDAGraphExecutor.*without a GPU.*remove executor='):
        executor()


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(accumulative_counts=2), 'accumulative_counts'),
        (dict(type='auglocal_mm.AmpOptimWrapper', dtype='float16'), 'float16'),
    ],
)
def test_what_a_recording_cannot_repeat_is_refused(gpu, settings, words):
    with pytest.raises(InputError, match=f'CUDAGraphExecutor.*{words}.*remove executor='):
        executor(**settings)


def test_modules_in_turn_are_refused(gpu):
    built = executor()
    config = dict(type='CUDAGraphExecutor')
    with pytest.raises(InputError, match=r'update_every is 2\b.*CUDAGraphExecutor'):
        build_executor(built.model, built.optim_wrapper, Config(), config, update_every=2)


def test_iterations_are_replayed_once_their_shapes_are_usual(gpu):
    running = executor()
    assert replays(running, *[BATCH] * 5, SMALLER, BATCH, SMALLER) == [False] * 3 + [True] * 2 + [False, True, False]
    assert FakeRecording.made == 1
    assert replays(running, *[SMALLER] * 4) == [False] * 2 + [True] * 2


def test_a_change_of_the_optimizer_or_of_what_is_trained_is_recorded_anew(gpu):
    running = executor()
    replays(running, *[BATCH] * 4)
    groups = [group for wrapper in running.optim_wrapper.values() for group in wrapper.param_groups]
    groups[0]['lr'] = 0.005
    assert replays(running, BATCH) == [True]
    groups[0]['momentum'] = 0.5
    assert replays(running, *[BATCH] * 4) == [False, False, False, True]
    next(running.model.parameters()).requires_grad_(False)
    assert replays(running, *[BATCH] * 4) == [False, False, False, True]
    running.modules[0].eval()
    assert replays(running, *[BATCH] * 4) == [False, False, False, True]
    running.model.backbone.conv1.weight.data = running.model.backbone.conv1.weight.data.clone()
    assert replays(running, BATCH) == [False]


def test_random_numbers_are_refused(gpu):
    running = executor()

    def draw(*_) -> None:
        torch.rand(1)

    running.modules[1].head.register_forward_hook(draw)
    with pytest.raises(InputError, match=rf'random numbers.*{running.modules[1].name}.*dropout'):
        running.step(*BATCH)
