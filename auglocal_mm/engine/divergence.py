"""The error for a training that has diverged."""

from mmengine.runner import Runner

from auglocal_mm.errors import InputError


def divergence(runner: Runner, what: str) -> InputError:
    """The error that ends a training; it names the last checkpoint if there is one.

    Args:
        runner: Of the training.
        what: What is not finite.
    """
    kept = next((hook.kept for hook in runner.hooks if getattr(hook, 'kept', None)), None)
    before = f'the last checkpoint, {kept}, is from before that: ' if kept else ''
    again = '--resume' if kept else 'train again'
    return InputError(
        f'{what}; {before}lower the learning rate, clip gradients (optim_wrapper.clip_grad) or check the data, then {again}'
    )
