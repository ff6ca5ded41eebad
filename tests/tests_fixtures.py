"""Fixtures: a folder of tiny images, configs that fit it, and less work where a test does not depend on it."""

import multiprocessing.context
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from tests_server import SERVER
from tests_training import tiny_training, write_images
from torch import nn
from torch.nn import functional

import auglocal_mm  # noqa: F401  (before any test imports mmdet)
from auglocal_mm.local import blueprint
from auglocal_mm.local.layer_copy import copy_layer
from auglocal_mm.planning.costs.layer_cost import LayerCost, LayerMeter
from auglocal_mm.planning.costs.structure import structure

# PyTorch decides in its first backward pass whether forks of this process can have any, and counts the GPU that a FakeTensorMode
# pretends to have.
torch.ones(1, requires_grad=True).sum().backward()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools change it, also where a test calls one in its own process. What is spawned has the imports already."""
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
    monkeypatch.setitem(multiprocessing.context._concrete_contexts, 'spawn', SERVER)


@pytest.fixture
def shapes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms and first weights of networks that are only built and counted take most of the time, and change no shape."""
    norm = functional.batch_norm

    def batch_norm(inputs: torch.Tensor, *rest: Any, **named: Any) -> torch.Tensor:
        return torch.empty_like(inputs) if inputs.is_meta else norm(inputs, *rest, **named)

    monkeypatch.setattr(functional, 'batch_norm', batch_norm)
    for name in ('kaiming_uniform_', 'kaiming_normal_', 'uniform_'):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


@pytest.fixture(scope='module')
def copied_layers() -> dict[Any, nn.Module]:
    return {}


@pytest.fixture
def layers_copied_once(monkeypatch: pytest.MonkeyPatch, copied_layers: dict[Any, nn.Module]) -> None:
    """Heads that are only built and counted share their layers: each structure is copied for the first of them alone."""

    def copy_once(layer: nn.Module, *settings: Any) -> nn.Module:
        key = (structure(layer), next(layer.parameters()).device, *settings)
        if key not in copied_layers:
            copied_layers[key] = copy_layer(layer, *settings)
        return copied_layers[key]

    monkeypatch.setattr(blueprint, 'copy_layer', copy_once)


@pytest.fixture
def repeated_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large layers repeat their first 65,536 random weights: to draw the 130 million of a VGG takes seconds."""
    uniform, normal = torch.Tensor.uniform_, torch.Tensor.normal_

    def repeating(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def fill(tensor: torch.Tensor, *bounds: float, **named: Any) -> torch.Tensor:
            if tensor.is_meta or tensor.numel() <= 2**16:
                return draw(tensor, *bounds, **named)
            first, *others = tensor.view(-1).split(2**16)
            draw(first, *bounds, **named)
            for part in others:
                part.copy_(first[: len(part)])
            return tensor

        return fill

    monkeypatch.setattr(torch.Tensor, 'uniform_', repeating(uniform))
    monkeypatch.setattr(torch.Tensor, 'normal_', repeating(normal))


@pytest.fixture(scope='session')
def known_costs() -> dict[bool, dict[Any, LayerCost]]:
    return {False: {}, True: {}}


@pytest.fixture
def costs_measured_once(monkeypatch: pytest.MonkeyPatch, known_costs: dict[bool, dict[Any, LayerCost]]) -> None:
    """All networks of these tests have the same few layers: each structure is measured for the first of them alone."""

    def initialise(meter: LayerMeter, amp: bool = False) -> None:
        meter.amp, meter._known = amp, known_costs[amp]

    monkeypatch.setattr(LayerMeter, '__init__', initialise)


@pytest.fixture
def ten_seconds() -> Iterator[None]:
    """Fails a test that waits for a pipe."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """train/ with 3 classes x 8 and val/ with 3 classes x 2 random 32x32 images."""
    return write_images(tmp_path / 'images')


@pytest.fixture
def tiny_config(image_folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Makes the config of a two-epoch training on the images of this test, see :func:`tests_training.tiny_training`."""

    def make(method: str = 'auglocal', **overrides: Any) -> Config:
        return tiny_training(method, image_folder, **{'work_dir': str(tmp_path / 'work_dir'), **overrides})

    return make
