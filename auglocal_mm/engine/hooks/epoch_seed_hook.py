"""Makes every epoch depend on the seed and the epoch alone."""

import numpy as np
from mmengine.hooks import DistSamplerSeedHook
from mmengine.runner import Runner, set_random_seed

from auglocal_mm.datasets.wrappers import inner_datasets
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(DistSamplerSeedHook):
    """Seeds the sampler, the augmentation and the network (dropout, stochastic depth) before each epoch.

    So a run that was stopped and resumed goes on as one that never stopped.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Hands the epoch to the sampler, seed and epoch to the data set if it takes them, and seeds all generators."""
        super().before_train_epoch(runner)
        for dataset in inner_datasets(runner.train_dataloader.dataset):
            if hasattr(dataset, 'set_epoch'):
                dataset.set_epoch(runner.seed, runner.epoch)
        (seed,) = np.random.SeedSequence([runner.seed, runner.epoch]).generate_state(1)
        # Less than 2**32 with the number of the process, which is added.
        set_random_seed(int(seed) // 2, diff_rank_seed=True)
