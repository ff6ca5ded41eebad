"""Makes a training layer-parallel: divides the local modules among processes, and puts them together where all are needed."""

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.hooks import SyncBuffersHook as MMEngineSyncBuffersHook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.utils import apply_to
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader

from auglocal_mm.engine.hooks.auglocal_hook import AugLocalHook
from auglocal_mm.engine.hooks.sync_buffers_hook import SyncBuffersHook
from auglocal_mm.engine.passes import counts_iterations
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.errors import InputError
from auglocal_mm.launch.node import once_per_node
from auglocal_mm.launch.watch import completed_iterations
from auglocal_mm.local.module import LocalModule, fewest_images
from auglocal_mm.planning.parallel.device_memory import module_memory, split_within
from auglocal_mm.planning.training_config import optimizer_states
from auglocal_mm.registry import HOOKS
from auglocal_mm.runtime.grid import current_grid, synchronise_norms
from auglocal_mm.runtime.optimizers import each_wrapper
from auglocal_mm.runtime.ownership import Ownership
from auglocal_mm.runtime.split import balanced_split, check_stages, module_seconds, owners_text, stages_of_splits

TIMED_IMAGES = 8
"""Number of images on which local modules are timed for the split, unless a head needs more."""


@HOOKS.register_module()
class LayerParallelHook(Hook):
    """Trains the local modules of :class:`AugLocalHook` on several processes at the same time.

    The tools add it where the config has ``layer_parallel``. The life of a run::

        before_run:              choose the modules of every stage
        before_train:            free what other stages train; stages after the first read no images
        before_val_epoch:        copy the primary network from its owners, since each process validates its share of the images
        after_val_epoch:         free it
        before_write_checkpoint: send everything to the first process, which writes it

    Args:
        splits: Indices of the local modules with which the second and all further processes begin; by default those with
            which the slowest process takes the least time, measured before training.
        memory: Bytes of each device, which no process may need more of.
    """

    priority = 'ABOVE_NORMAL'  # before the hooks that exchange or save weights

    def __init__(self, splits: Sequence[int] | None = None, memory: float | None = None) -> None:
        self.splits, self.memory = splits, memory

    def before_run(self, runner: Runner) -> None:
        """Divides the modules, and has :class:`AugLocalHook` train those of this process.

        Raises:
            InputError: There are more processes than modules, wrong splits, or a setting that layer-parallel training cannot
                follow.
        """
        grid = current_grid()
        assert grid is not None, 'layer_parallel is set'
        self.grid, self.network = grid, unwrapped(runner.model)
        self.gradients: dict[str, Tensor] = {}
        trainers = [hook for hook in runner.hooks if isinstance(hook, AugLocalHook)]
        once_per_node(lambda: self._refuse_conflicts(runner, trainers))
        synchronise_norms(self.network)
        modules = self.network.local_modules()
        stages, seconds = self._choose_stages(runner, modules)
        print_log(owners_text([module.name for module in modules], stages, seconds), 'current')
        self.ownership = Ownership(self.network, modules, stages, grid)
        self.stages, self.names = stages, [module.name for module in modules]
        batch_size = runner.train_dataloader.batch_size
        trainers[0].executor_config = {'type': 'LayerParallelExecutor', 'stages': stages, 'batch_size': batch_size}

    def _refuse_conflicts(self, runner: Runner, trainers: Sequence[AugLocalHook]) -> None:
        if not trainers or getattr(self.network, 'auxiliary_heads', None) is None:
            raise InputError(
                'layer_parallel divides local modules among processes, but nothing trains any; add model.auxiliary_heads and '
                "custom_hooks=[dict(type='AugLocalHook')], or remove layer_parallel"
            )
        if trainers[0].executor_config:
            raise InputError(
                f'AugLocalHook.executor is {trainers[0].executor_config}, and layer_parallel is an executor too; remove either'
            )
        check_stages(self.network.local_modules(), self.grid.num_stages, self.splits)
        if any(isinstance(hook, EMAHook) and hook.ema_cfg.get('update_buffers') for hook in runner.hooks):
            raise InputError('EMAHook.update_buffers is True, which layer_parallel does not support; set it to False')
        if any(type(hook) is MMEngineSyncBuffersHook for hook in runner.hooks):
            raise InputError(
                "default_hooks.sync_buffers averages the statistics of different modules; set its type to 'auglocal_mm."
                f"{SyncBuffersHook.__name__}'"
            )

    def _choose_stages(
        self, runner: Runner, modules: Sequence[LocalModule]
    ) -> tuple[Sequence[int], Sequence[float] | None]:
        """The stage of every module, and their times where they decide."""
        if self.splits is not None:
            return stages_of_splits(self.splits, len(modules)), None
        was_training = self.network.training
        self.network.train()
        device, side = next(self.network.parameters()).device, self.network.image_size
        number = max(TIMED_IMAGES, fewest_images(module.head.batch_share for module in modules))
        images = torch.randn(number, 3, side, side, generator=torch.Generator()).to(device)
        labels = torch.zeros(number, dtype=torch.long, device=device)
        wrapper = each_wrapper(runner.optim_wrapper)[0]
        context = partial(wrapper.optim_context, self.network)
        own = module_seconds(modules, images, labels, context)
        seconds = torch.tensor(own, device=device)
        distributed.all_reduce(seconds)  # the sum over all processes, which decide alike
        stages = balanced_split(seconds.tolist(), self.grid.num_stages)
        if self.memory is not None:
            batch_size, states = runner.train_dataloader.batch_size, optimizer_states(runner.cfg)
            memory = module_memory(modules, images, labels, batch_size, states, context)
            choose = partial(split_within, seconds.tolist(), memory, self.grid.num_stages, self.memory)
            once_per_node(choose)
            stages = choose()
        self.network.train(was_training)
        return stages, (seconds / distributed.get_world_size()).tolist()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Takes the optimizer states of this stage alone from a checkpoint."""
        for name in self._foreign():
            if name in checkpoint.get('optimizer', {}):
                checkpoint['optimizer'][name]['state'] = {}
        gradients = checkpoint.get('local_learning', {}).get('gradients', {})
        for name in [name for name in gradients if not self.ownership.is_own(name)]:
            del gradients[name]

    def before_train(self, runner: Runner) -> None:
        """Frees what other stages train, and stops reading images where they arrive as features."""
        averages = [hook.ema_model.module for hook in runner.hooks if isinstance(hook, EMAHook)]
        self.networks = [self.network, *averages]
        self.collected: list[dict[str, Tensor]] = [{} for _ in self.networks]
        self._release()
        # Schedules of modules that are trained elsewhere go on, which MMEngine takes for a mistake.
        warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
        for name in self._foreign():
            runner.optim_wrapper[name].optimizer.state.clear()
        for index, network in enumerate(self.networks):
            network.register_state_dict_post_hook(partial(self._complete, index))
        if self.grid.stage > 0:
            loop = runner.train_loop
            loop.dataloader = WithoutImages(loop.dataloader)
            if counts_iterations(runner):
                loop.dataloader_iterator = NoBatches()

    def _complete(self, index: int, network: nn.Module, state: dict[str, Tensor], prefix: str, _: Any) -> None:
        """Puts what other stages have sent into the state of a network, while a checkpoint is written."""
        for name, value in self.collected[index].items():
            if prefix + name in state:  # not every buffer is in a checkpoint
                state[prefix + name] = value

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Frees what was sent for a checkpoint."""
        self.collected = [{} for _ in self.networks]
        self.gradients = {}
        runner.optim_wrapper.elsewhere = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Notes the progress of this process."""
        completed_iterations(runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        """Gives every process the primary network."""
        for network in self.networks:
            self.ownership.borrow(network)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        """Frees it."""
        self._release()

    def before_write_checkpoint(self, runner: Runner) -> None:
        """Sends weights, statistics, optimizer states and gradients to the first process."""
        if self.grid.replica > 0:
            return
        wrappers, foreign = dict(zip(self.names, each_wrapper(runner.optim_wrapper), strict=True)), self._foreign()
        states = {name: _on_cpu(each.state_dict()) for name, each in wrappers.items() if name not in foreign}
        gradients = {name: p.grad.cpu() for name, p in self.network.named_parameters() if p.grad is not None}
        weights = [self.ownership.own_state(network) for network in self.networks]
        for average in weights[1:]:  # their statistics are those of the network
            average.update({name: weights[0][name] for name, _ in self.network.named_buffers() if name in average})
        for theirs, optimizers, accumulated in self.ownership.collect((weights, states, gradients)):
            for collected, network in zip(self.collected, theirs, strict=True):
                collected.update(network)
            runner.optim_wrapper.elsewhere.update(optimizers)
            self.gradients.update(accumulated)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Adds gradients that other stages are still accumulating."""
        if 'optimizer' in checkpoint:
            checkpoint.setdefault('local_learning', {}).setdefault('gradients', {}).update(self.gradients)

    def _foreign(self) -> list[str]:
        """Names of the local modules that other stages train."""
        return [name for name, stage in zip(self.names, self.stages, strict=True) if stage != self.grid.stage]

    def _release(self) -> None:
        for network in self.networks:
            self.ownership.release(network)


class WithoutImages:
    """Stands for a data loader where nothing is read: ``None`` in place of every batch.

    Args:
        loader: What it stands for; it has the same length and attributes.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None, len(self.loader))


class NoBatches:
    """Stands for the endless iterator of a training by iterations where nothing is read: ``None`` in place of every batch."""

    def __next__(self) -> None:
        return None

    def skip_iter(self, num_iters: int) -> None:
        """Skips the batches of earlier iterations in a resumed training; here there are none."""


def _on_cpu(state: Any) -> Any:
    return apply_to(state, lambda value: isinstance(value, Tensor), lambda value: value.cpu())
