"""Replays a training iteration as one CUDA graph, where starting its kernels takes longer than running them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from auglocal_mm.errors import InputError
from auglocal_mm.local.step import local_step
from auglocal_mm.private import accumulates_gradients
from auglocal_mm.registry import EXECUTORS
from auglocal_mm.runtime.executor import Executor
from auglocal_mm.runtime.grid import num_replicas
from auglocal_mm.runtime.optimizers import each_wrapper
from auglocal_mm.runtime.sequential import SequentialExecutor

ORDINARY = 3
"""Number of iterations in a row, with images of one shape, before the next one is recorded."""
ADVICE = "remove executor=dict(type='CUDAGraphExecutor') from AugLocalHook"


@EXECUTORS.register_module()
class CUDAGraphExecutor(SequentialExecutor):
    """Records an iteration of the sequential executor and replays it: the GPU starts its kernels without Python.

    This pays for small images and for many local modules. Weights are those of the sequential executor, but for the rounding of
    learning rates to float32, in which a recording reads them. Batches of other shapes, such as a last, smaller one, run without
    the recording. If anything but the learning rates changes (a frozen head, another momentum), it is made anew. Numbers that
    Python computes in every iteration, as a hook of your own may do, stay as they were recorded.

    The optimizer must be one that CUDA graphs support: SGD with ``fused=True``, or Adam with ``fused=True`` and
    ``capturable=True``.

    Raises:
        InputError: There is no GPU, there are several processes, gradients accumulate or are scaled (float16), a module draws
            random numbers, or PyTorch cannot record the iteration.
    """

    trains_in_turn = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._check()
        self._recording: _Recording | None = None
        self._shapes: Any = None
        self._seen = 0

    def _check(self) -> None:
        wrappers = each_wrapper(self.optim_wrapper)
        reasons = {
            'several processes': num_replicas() > 1,
            'optim_wrapper.accumulative_counts': any(map(accumulates_gradients, wrappers)),
            'the scaled gradients of float16': any(
                wrapper.loss_scaler.is_enabled() for wrapper in wrappers if hasattr(wrapper, 'loss_scaler')
            ),
            'training without a GPU': get_device() != 'cuda',
        }
        for reason, holds in reasons.items():
            if holds:
                raise InputError(f'CUDAGraphExecutor does not support {reason}; {ADVICE}')

    def step(self, images: Tensor, labels: Any, seed: int = 0) -> list[dict[str, Tensor]]:
        """One training iteration; see :class:`auglocal_mm.runtime.Executor`."""
        batch = (images, labels)
        shapes = [(leaf.shape, leaf.dtype) for leaf in tree_leaves(batch)]
        self._seen = self._seen + 1 if shapes == self._shapes else 1
        self._shapes = shapes
        if self._recording and self._recording.shapes == shapes and self._recording.settings != self.settings():
            self._recording, self._seen = None, 1
        if self._recording is None or self._recording.shapes != shapes:
            if self._seen <= ORDINARY:
                return super().step(images, labels, seed)
            self._recording = None  # frees its memory before the next one takes some
            self._recording = _Recording(self, batch, shapes)
        return self._recording.replay(batch)

    @contextmanager
    def context(self, seed: int, index: int) -> Iterator[None]:
        """As of the sequential executor.

        Raises:
            InputError: The module drew random numbers, which a recording would not draw from the seed.
        """
        with super().context(seed, index):
            before = torch.cuda.get_rng_state()
            yield
            if not torch.equal(before, torch.cuda.get_rng_state()):
                raise InputError(
                    f'CUDAGraphExecutor does not support random numbers, which {self.modules[index].name} draws (perhaps in '
                    f'dropout); {ADVICE}'
                )

    def settings(self) -> list[Any]:
        """What a recording fixes: places of tensors, what is trained, modes of modules, and optimizers but for learning rates."""
        wrappers = each_wrapper(self.optim_wrapper)
        tensors = [*self.model.parameters(), *self.model.buffers()]
        states = tree_leaves([list(wrapper.optimizer.state.values()) for wrapper in wrappers])
        groups = [group for wrapper in wrappers for group in wrapper.param_groups]
        return [
            [(tensor.data_ptr(), tensor.requires_grad) for tensor in tensors],
            [state.data_ptr() for state in states if isinstance(state, Tensor)],
            [module.training for module in self.model.modules()],
            [[value for name, value in group.items() if name not in ('params', 'lr')] for group in groups],
        ]


class _Recording:
    """A recorded iteration.

    Args:
        executor: Whose iteration.
        batch: Images and labels; they are not trained on.
        shapes: Theirs.
    """

    def __init__(self, executor: CUDAGraphExecutor, batch: Any, shapes: Any) -> None:
        self.shapes, self.settings = shapes, executor.settings()
        self.batch = tree_map(torch.clone, batch)
        self.optim_wrapper = executor.optim_wrapper
        self.groups = [group for wrapper in each_wrapper(self.optim_wrapper) for group in wrapper.param_groups]
        self.rates: list[float] = []
        self.rate_tensors = torch.zeros(len(self.groups), device=self.batch[0].device)
        self.graph = torch.cuda.CUDAGraph()
        with self._recorded_rates(), self._recorded_norms():
            try:
                # Another thread, such as a data loader's, may use the GPU meanwhile.
                with torch.cuda.graph(self.graph, capture_error_mode='thread_local'):
                    results = _iteration(executor, *self.batch)
                    values = torch.stack([value for result in results for value in result.values()])
            except (RuntimeError, TypeError) as error:
                reason, _, _ = str(error).partition('\n')
                raise InputError(f'the iteration cannot be recorded as a CUDA graph ({reason}); {ADVICE}') from error
        self.names, self.values = [list(result) for result in results], values

    @contextmanager
    def _recorded_rates(self) -> Iterator[None]:
        """Learning rates are read from the device while recording, so that each replay has its own."""
        rates = [group['lr'] for group in self.groups]
        for group, tensor in zip(self.groups, self.rate_tensors, strict=True):
            group['lr'] = tensor
        try:
            yield
        finally:
            for group, rate in zip(self.groups, rates, strict=True):
                group['lr'] = rate

    @contextmanager
    def _recorded_norms(self) -> Iterator[None]:
        """Keeps the gradient norms of the recorded iteration apart from those of the others."""
        wrapper = self.optim_wrapper
        before, wrapper.norms = wrapper.norms, [[] for _ in wrapper.norms]
        try:
            yield
        finally:
            self.norms, wrapper.norms = wrapper.norms, before

    def replay(self, batch: Any) -> list[dict[str, Tensor]]:
        """Trains on a batch of the same shapes."""
        for recorded, given in zip(tree_leaves(self.batch), tree_leaves(batch), strict=True):
            recorded.copy_(given)
        rates = [group['lr'] for group in self.groups]
        if rates != self.rates:
            self.rates = rates
            self.rate_tensors.copy_(torch.tensor(rates))
        self.graph.replay()
        for kept, recorded in zip(self.optim_wrapper.norms, self.norms, strict=True):
            kept += [norm.clone() for norm in recorded]
        values = iter(self.values.clone())  # the next replay overwrites them
        return [{name: next(values) for name in names} for names in self.names]


def _iteration(executor: Executor, images: Tensor, labels: Any) -> list[dict[str, Tensor]]:
    """The iteration of the sequential executor, without the seeds of random numbers, which cannot be recorded."""
    wrapper = executor.optim_wrapper
    context = next(iter(wrapper.values())).optim_context
    results = local_step(executor.modules, images, labels, wrapper.update_module, lambda _: context(executor.model))
    wrapper.finish_update()
    return results
