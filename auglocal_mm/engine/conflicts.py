"""Settings of MMEngine and MMDetection that conflict with local learning, each refused with an error."""

from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import Runner

from auglocal_mm.errors import InputError
from auglocal_mm.launch.layer_parallel import layer_parallel_settings
from auglocal_mm.runtime import LocalOptimWrapper
from auglocal_mm.runtime.grid import current_grid


def refuse_conflicts(runner: Runner) -> None:
    """Refuses settings that would break local learning or silently have no effect.

    Raises:
        InputError: Names the setting, and what to do.
    """
    wrapped = is_model_wrapper(runner.model)
    if wrapped and not isinstance(runner.model, MMDistributedDataParallel):
        raise InputError(
            f'AugLocalHook does not train inside a {type(runner.model).__name__}; remove model_wrapper_cfg: gradients are '
            'averaged per local module by the hook itself'
        )
    model = runner.model.module if wrapped else runner.model
    if getattr(model, 'auxiliary_heads', None) is None:
        raise InputError(
            "AugLocalHook needs auxiliary heads to train; add model=dict(auxiliary_heads=dict(type='AugLocalHead', "
            'depth=5)) to the config, or remove the hook to train by backpropagation'
        )
    if not isinstance(runner.optim_wrapper, LocalOptimWrapper):
        raise InputError(
            f'optim_wrapper is a {type(runner.optim_wrapper).__name__} over all local modules, but each needs its own; set '
            "optim_wrapper=dict(constructor='LocalOptimWrapperConstructor')"
        )
    if layer_parallel_settings(runner.cfg).num > 1 and current_grid() is None:
        raise InputError(
            'layer_parallel arranges the processes before the Runner is built, as tools/train.py does; train with it, or call '
            'auglocal_mm.launch.layer_parallel.set_up_layer_parallel(config) before Runner.from_cfg(config)'
        )
    if runner.cfg.get('activation_checkpointing'):
        raise InputError(
            'activation_checkpointing is reentrant in MMEngine: a local module would get no gradient at all; remove it, '
            'or set model.checkpointed instead'
        )
    if getattr(model.backbone, 'with_cp', False):
        raise InputError(
            'backbone.with_cp checkpoints only blocks whose input requires a gradient, which that of a local module never '
            'does; remove it, or set model.checkpointed instead'
        )
