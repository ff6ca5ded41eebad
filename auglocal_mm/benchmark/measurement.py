"""Measures time and memory of one training scheme, on complete iterations in its own process."""

import ctypes
import logging
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.utils import import_modules_from_strings
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from auglocal_mm.benchmark.iteration import Step, random_batch
from auglocal_mm.benchmark.schemes import Scheme
from auglocal_mm.hardware import keep_freed_memory, memory_of_process, seconds_now
from auglocal_mm.planning.costs.activation_meter import ActivationMeter, storage_of
from auglocal_mm.registry import MODELS
from auglocal_mm.runtime.optimizers import each_wrapper

PR_SET_PDEATHSIG = 1
"""Option of Linux's ``prctl``."""
WARM_UP = 2
"""Number of iterations before the timed ones."""


@dataclass(frozen=True)
class Measurement:
    """One scheme in one process; memory in bytes, for a batch.

    Attributes:
        images: Number of images in an iteration.
        times: Seconds of each timed iteration, by the clock of :func:`auglocal_mm.hardware.seconds_now`.
        predicted: Seconds of an iteration as the planner predicts them, by layers timed in the same process; ``None`` if it
            does not.
        resident: Resident memory of the process before its first iteration.
        peak_resident: Peak resident memory up to the last timed iteration.
        peak_allocated: Peak of PyTorch's allocated GPU memory during the timed iterations; 0 on a CPU.
        peak_reserved: The same for reserved GPU memory.
        activations: Peak activation memory; ``None`` for compiled graphs, whose tensors nobody can count.
        saved_activations: Peak activation memory during backward, without temporaries of the forward pass.
        gradients: Gradients of parameters that remain after an iteration.
        peak_gradients: Peak memory of gradients of parameters; ``None`` for compiled graphs.
        optimizer_state: Optimizer state.
        flops: FLOPs of one iteration, recomputation included; a multiply-add is two. ``None`` for compiled graphs.
        primary_parameters: Number of parameters of the primary network.
        auxiliary_parameters: Number of parameters of all auxiliary networks.
    """

    images: int
    times: list[float]
    predicted: float | None
    resident: int
    peak_resident: int
    peak_allocated: int
    peak_reserved: int
    activations: int | None
    saved_activations: int
    gradients: int
    peak_gradients: int | None
    optimizer_state: int
    flops: int | None
    primary_parameters: int
    auxiliary_parameters: int


def measure_alone(scheme: Scheme, iterations: int, device: str) -> Measurement | str:
    """:func:`measure` in a new process, so that the memory of other schemes does not count.

    Returns:
        The measurement, or the reason for having none: it ran out of memory.
    """
    with ProcessPoolExecutor(1, get_context('spawn'), initializer=_prepare) as process:
        try:
            return process.submit(measure, scheme, iterations, device).result()
        except torch.OutOfMemoryError:
            return 'the GPU ran out of memory'
        except BrokenProcessPool:
            return 'the process was killed, most likely because memory ran out'


def measure(scheme: Scheme, iterations: int, device: str) -> Measurement:
    """Builds the model and trains it on one random batch.

    Args:
        scheme: A scheme that has a config.
        iterations: Number of timed iterations.
        device: ``'cpu'`` or ``'cuda'``.
    """
    config = scheme.config
    assert config is not None
    keep_freed_memory()  # as training on a CPU does
    model, optim_wrapper = _build(config, device)
    step = scheme.build_step(config, model, optim_wrapper)
    images = random_batch(model.head.num_classes, config.train_dataloader.batch_size, config.model.image_size)
    batch = {name: tensor.to(device) for name, tensor in images.items()}
    resident = memory_of_process('VmRSS')
    _warm_up(step, batch, device)
    times = [_seconds(step, batch, device) for _ in range(iterations)]
    # The peaks come first: what follows uses memory itself.
    peaks = {
        'peak_resident': memory_of_process('VmHWM'),
        'peak_allocated': torch.cuda.max_memory_allocated(),
        'peak_reserved': torch.cuda.max_memory_reserved(),
    }
    predicted = scheme.prediction.seconds(device) if scheme.prediction else None
    gradients = gradient_bytes(model)
    flops, peak_gradients = (None, None) if scheme.compiled else flops_and_gradients(step, batch, model)
    activations, saved = (None, graph_bytes(step, batch, model)) if scheme.compiled else activation_bytes(step, batch)
    auxiliary = _size(model.auxiliary_heads) if model.auxiliary_heads is not None else 0
    return Measurement(
        images=len(batch['inputs']),
        times=times,
        predicted=predicted,
        resident=resident,
        **peaks,
        activations=activations,
        saved_activations=saved,
        gradients=gradients,
        peak_gradients=peak_gradients,
        optimizer_state=state_bytes(optim_wrapper),
        flops=flops,
        primary_parameters=_size(model) - auxiliary,
        auxiliary_parameters=auxiliary,
    )


def _build(config: Config, device: str) -> tuple[Any, OptimWrapper]:
    """The model on the device, and what updates it."""
    import_modules_from_strings(**config.get('custom_imports', {'imports': None}))
    init_default_scope('auglocal_mm')
    torch.backends.cudnn.benchmark = config.get('env_cfg', {}).get('cudnn_benchmark', False)
    torch.manual_seed(0)
    with torch.device(device):  # a CPU would take seconds to draw the weights of large heads
        model = MODELS.build(config.model)
    model.init_weights()
    model.to(device).train()
    return model, build_optim_wrapper(model, config.optim_wrapper)


def _warm_up(step: Step, batch: dict[str, Tensor], device: str) -> None:
    for _ in range(WARM_UP):
        step(batch)
    if device == 'cuda':
        torch.cuda.empty_cache()  # of what cuDNN tried in order to choose its algorithms
        torch.cuda.reset_peak_memory_stats()


def _prepare() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # stop measuring when the parent is gone
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # it would list the initialisation of every weight


def activation_bytes(step: Step, batch: dict[str, Tensor]) -> tuple[int, int]:
    """Peak activation memory of an iteration in bytes, and its peak during backward; both include the images."""
    with ActivationMeter(batch['inputs'].device) as meter:
        step(batch)
    return meter.peak, meter.saved


def graph_bytes(step: Step, batch: dict[str, Tensor], model: nn.Module) -> int:
    """Bytes that the graph of an iteration saves for backward, without weights and statistics of the model."""
    own = {storage_of(tensor) for tensor in (*model.parameters(), *model.buffers())}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if storage_of(tensor) not in own:
            saved[storage_of(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step(batch)
    return sum(saved.values())


def state_bytes(optim_wrapper: OptimWrapper) -> int:
    """Bytes of the current optimizer states."""
    states = tree_leaves([dict(wrapper.optimizer.state) for wrapper in each_wrapper(optim_wrapper)])
    return sum(state.nbytes for state in states if isinstance(state, Tensor))


def gradient_bytes(model: nn.Module) -> int:
    """Bytes of the current gradients of parameters."""
    return sum(parameter.grad.nbytes for parameter in model.parameters() if parameter.grad is not None)


def flops_and_gradients(step: Step, batch: dict[str, Tensor], model: nn.Module) -> tuple[int, int]:
    """FLOPs of an iteration, and the peak bytes of its gradients of parameters."""
    seen: list[int] = []
    hooks = [
        parameter.register_hook(lambda gradient: seen.append(gradient_bytes(model) + gradient.nbytes))
        for parameter in model.parameters()
        if parameter.requires_grad
    ]
    with FlopCounterMode(display=False) as counter:
        step(batch)
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops(), max(seen)


def _seconds(step: Step, batch: dict[str, Tensor], device: str) -> float:
    where = torch.device(device)
    start = seconds_now(where)
    step(batch)
    return seconds_now(where) - start


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
