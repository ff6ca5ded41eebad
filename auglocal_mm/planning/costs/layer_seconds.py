"""The seconds of every local layer of a network and of every candidate auxiliary network, measured on a device."""

import copy
import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.hardware import seconds_now
from auglocal_mm.local.module import Head, LocalLayer
from auglocal_mm.local.recompute import Checkpointed
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models import ImageClassifier
from auglocal_mm.models.auxiliary_heads import AuxiliaryHead, Placement
from auglocal_mm.planning.costs.structure import structure
from auglocal_mm.planning.plan import AUGLOCAL
from auglocal_mm.registry import MODELS

Run: TypeAlias = Callable[[Any, State], Tensor]
"""Takes a layer or a head, and the state before it; returns what backward starts from."""
OTHER_DATA = 2**27
"""Bytes that are touched between two passes, more than the caches of a CPU or a GPU hold."""


@dataclass(frozen=True)
class PassSeconds:
    """The time of one iteration, in seconds for the whole batch.

    Attributes:
        forward: Of the forward pass, with the loss of a head.
        backward: Of the backward pass, without the optimizer.
        norms: What recomputing norms, activation functions and pooling adds, where it was measured.
    """

    forward: float
    backward: float
    norms: float = 0.0

    @property
    def total(self) -> float:
        """Forward and backward, without recomputation."""
        return self.forward + self.backward

    def __add__(self, other: 'PassSeconds') -> 'PassSeconds':
        return PassSeconds(self.forward + other.forward, self.backward + other.backward, self.norms + other.norms)


@dataclass(frozen=True)
class NetworkSeconds:
    """The times of the parts of a network; a local module takes the sum of its layers and its head.

    Attributes:
        layers: Each local layer, with the gradient of its input.
        starts: Each local layer as the first of a local module, whose input needs no gradient.
        classifier: The primary classifier and its loss.
        heads: Index of a local layer and name of a kind of head -> the head after it and its loss.
        batch_size: Images in an iteration.
    """

    layers: Sequence[PassSeconds]
    starts: Sequence[PassSeconds]
    classifier: PassSeconds
    heads: dict[tuple[int, str], PassSeconds]
    batch_size: int

    def module(self, first: int, last: int, head: str) -> PassSeconds:
        """The time of a local module; that with the last layer has the primary classifier.

        Args:
            first: Index of its first local layer.
            last: Index of its last local layer.
            head: Name of the kind of its head.

        Raises:
            InputError: No such head was measured.
        """
        if last + 1 == len(self.layers):
            loss = self.classifier
        elif (last, head) in self.heads:
            loss = self.heads[last, head]
        else:
            raise InputError(
                f'head is {head!r}, which was not measured after local layer {last}; expected one of '
                f'{", ".join(dict.fromkeys(name for _, name in self.heads))}, or measure it too'
            )
        return sum(self.layers[first + 1 : last + 1], self.starts[first]) + loss


def measure_seconds(
    model: ImageClassifier,
    image_size: int,
    batch_size: int,
    heads: Mapping[str, Mapping[str, Any]],
    device: torch.device | str = 'cpu',
    amp: bool = False,
    rounds: int = 3,
    timer: 'PassTimer | None' = None,
    norms: bool = False,
) -> NetworkSeconds:
    """Measures every local layer of a classifier, and heads of each kind after each of its local layers but the last.

    Layers and heads of equal structure on equal inputs are measured once. Heads are those of layer-wise training, where every
    local layer is a module. Whatever the model's ``checkpointed``, nothing is recomputed in backward but what ``norms`` times.
    The model and the random numbers stay as they are.

    Args:
        model: The classifier; heads that it already has are not measured.
        image_size: Side of the images in pixels.
        batch_size: Images in an iteration, at least 2; a BatchNorm on vectors refuses a single image.
        heads: Configs of auxiliary heads by the name of the kind.
        device: Where to measure.
        amp: Whether forward runs in bfloat16 autocast.
        rounds: How often each part is timed, after one round that warms up; the median counts.
        timer: Remembers what it measured in other networks; replaces ``device``, ``amp`` and ``rounds``.
        norms: Whether to time the recomputation of norms too, in local layers and in the heads of AugLocal.

    Raises:
        InputError: A kind of head is unknown, or does not fit the network.
    """
    check_heads(heads)
    timer = timer or PassTimer(torch.device(device), amp, rounds)
    layers = [copy.deepcopy(layer).to(timer.device).train() for layer in model.layers]
    classifier = copy.deepcopy(model.head).to(timer.device).train()
    whole, starts, auxiliary = [], [], {}
    with torch.random.fork_rng(devices=[timer.device] if timer.device.type == 'cuda' else []):
        state, loss = _inputs(model, image_size, batch_size, timer.device)
        for index, layer in enumerate(layers):
            key, build, inside = structure(layer.module), partial(_itself, layer), index > 0
            starts.append(timer.measure(key, build, _features, state, input_gradient=False))
            whole.append(timer.measure(key, build, _features, state, inside))
            if norms:
                again = partial(Checkpointed, layer, selective=True)
                whole[-1] = _with_norms(whole[-1], timer.measure((key, 'norms'), again, _features, state, inside))
            state = timer.outputs(layer, state)
            for name, config in heads.items() if index + 1 < len(layers) else ():
                build_here = partial(build_head, model, layers, index)
                auxiliary[index, name] = _time_head(timer, build_here, loss, state, config, norms)
        last = timer.measure(structure(classifier), partial(_itself, classifier), loss, state)
    return NetworkSeconds(whole, starts, last, auxiliary, batch_size)


def check_heads(heads: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that every kind of head is known.

    Raises:
        InputError: One is not.
    """
    for name, config in heads.items():
        kind = config.get('type')
        cls = MODELS.get(kind) if isinstance(kind, str) else kind
        if not (isinstance(cls, type) and issubclass(cls, AuxiliaryHead)):
            raise InputError(
                f"heads[{name!r}].type is {kind!r}; expected the class of an auxiliary head, such as 'AugLocalHead'"
            )


def build_head(
    model: ImageClassifier, layers: Sequence[LocalLayer], index: int, config: Mapping[str, Any]
) -> AuxiliaryHead:
    """The auxiliary head after a local layer, as in layer-wise training.

    Args:
        model: The classifier, of which shapes and memory layout are taken.
        layers: Its local layers, or copies.
        index: Of the local layer.
        config: Of the head.
    """
    placement = Placement(layers, model.shapes, index + 1, index, len(layers), model.head.num_classes)
    return MODELS.build({**config, 'placement': placement}).to(memory_format=model.layout)


class PassTimer:
    """Times layers and heads, each structure once for each shape of its input.

    Args:
        device: Where they run.
        amp: Whether forward runs in bfloat16 autocast.
        rounds: How often each is timed, after one round that warms up.
    """

    def __init__(self, device: torch.device, amp: bool, rounds: int) -> None:
        self.device, self.amp, self.rounds = device, amp, rounds
        self._known: dict[Hashable, PassSeconds] = {}
        self._other_data = torch.zeros(OTHER_DATA, dtype=torch.uint8, device=device)

    def autocast(self) -> torch.autocast:
        """The context of forward."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp)

    def measure(
        self,
        key: Hashable,
        build: Callable[[], nn.Module],
        run: Run,
        state: State,
        input_gradient: bool = True,
    ) -> PassSeconds:
        """The median time of the module that ``build`` returns.

        Args:
            key: Identifies the structure; a module with the same key and input is not built again.
            build: Builds the module, or returns an existing one.
            run: Its forward pass.
            state: Its input.
            input_gradient: Whether backward computes the gradient of the input.
        """
        known = (key, input_gradient, tuple((tensor.shape, tensor.dtype) for tensor in state.tensors()))
        if known not in self._known:
            module = build().to(self.device)
            leaves = [parameter for parameter in module.parameters() if parameter.requires_grad]
            times = [self._round(partial(run, module), leaves, state, input_gradient) for _ in range(self.rounds + 1)]
            self._known[known] = PassSeconds(*map(statistics.median, zip(*times[1:], strict=True)))
        return self._known[known]

    @torch.no_grad()
    def outputs(self, layer: LocalLayer, state: State) -> State:
        """The state after ``layer``."""
        with self.autocast():
            return layer(state)

    def _round(
        self, run: Callable[[State], Tensor], leaves: Sequence[Tensor], state: State, input_gradient: bool
    ) -> tuple[float, float]:
        inputs = [tensor.detach().requires_grad_(input_gradient) for tensor in state.tensors()]
        # A layer that works in place must not get a leaf.
        given = State.from_tensors([tensor.view_as(tensor) for tensor in inputs], tuple(state.taps))
        self._empty_caches(inputs)
        start = self._now()
        with self.autocast():
            outputs = run(given)
        forward = self._now() - start
        if not outputs.requires_grad:
            return forward, 0.0
        gradient = torch.ones_like(outputs)
        if outputs.ndim:  # other layers run before the backward pass of a layer; that of a loss follows at once
            self._empty_caches([gradient])
        start = self._now()
        wanted = [*(inputs if input_gradient else ()), *leaves]
        torch.autograd.grad(outputs, wanted, gradient, allow_unused=True)
        return forward, self._now() - start

    def _empty_caches(self, kept: Sequence[Tensor]) -> None:
        """Leaves only ``kept`` in the caches of the device, where the previous layer has just written it."""
        self._other_data.add_(1)
        for tensor in kept:
            tensor.detach().sum()

    def _now(self) -> float:
        return seconds_now(self.device)


def _inputs(model: ImageClassifier, image_size: int, batch_size: int, device: torch.device) -> tuple[State, Run]:
    """Random images, and the loss of a head for random labels."""
    images = torch.randn(batch_size, 3, image_size, image_size, device=device)
    labels = torch.randint(model.head.num_classes, (batch_size,), device=device)
    return State(images), partial(_loss, Targets(labels, images))


def head_key(config: Mapping[str, Any], build: Callable[[], AuxiliaryHead]) -> Hashable:
    """Equal for heads of one config with the same layers, wherever they are."""
    with torch.device('meta'):  # takes no memory
        return repr(dict(config)), tuple(structure(part) for part in build().children())


def _features(layer: LocalLayer, state: State) -> Tensor:
    return layer(state).features


def _loss(targets: Targets, head: Head, state: State) -> Tensor:
    return head.loss(state, targets)['loss']


def _time_head(
    timer: PassTimer,
    build: Callable[..., AuxiliaryHead],
    loss: Run,
    state: State,
    config: Mapping[str, Any],
    norms: bool,
) -> PassSeconds:
    head = partial(build, config)
    plain = timer.measure(head_key(config, head), head, loss, state)
    if not norms or config['type'] != AUGLOCAL:
        return plain
    return _with_norms(plain, _time_head(timer, build, loss, state, {**config, 'checkpointed': 'norms'}, norms=False))


def _with_norms(plain: PassSeconds, recomputed: PassSeconds) -> PassSeconds:
    return replace(plain, norms=max(0.0, recomputed.total - plain.total))


def _itself(module: nn.Module) -> nn.Module:
    return module
