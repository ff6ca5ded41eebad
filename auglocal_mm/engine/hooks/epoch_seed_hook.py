"""Makes every epoch's data depend on the seed and the epoch alone."""

from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner

from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(DistSamplerSeedHook):
    """Seeds the sampler and the augmentation before each epoch.

    So a run that was stopped and resumed sees the same batches as one that never stopped.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Hands the epoch to the sampler, and seed and epoch to the data set if it takes them."""
        super().before_train_epoch(runner)
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.seed, runner.epoch)
