"""Makes sure that a detector really starts from the backbone that its config names."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader, Runner

from auglocal_mm.backbone_file import backbone_weights, check_coverage, check_sha256
from auglocal_mm.checkpoint_file import read_weights
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class BackboneCheckHook(Hook):
    """Checks ``backbone.init_cfg=dict(type='Pretrained', checkpoint=...)`` before MMEngine loads it.

    MMEngine's initializer loads what fits and only logs the rest: a detector with a random backbone would train all the
    same. This hook reports matched, missing and unexpected keys and refuses anything below full coverage.
    """

    def before_run(self, runner: Runner) -> None:
        """Compares the file with the backbone.

        Raises:
            InputError: The file cannot be read safely, was changed, is of another depth, or does not cover the backbone.
        """
        model = unwrapped(runner.model)
        init_cfg = model.backbone.init_cfg
        if not isinstance(init_cfg, dict) or init_cfg.get('type') != 'Pretrained':
            return
        checkpoint = init_cfg['checkpoint']
        if '://' in checkpoint:
            weights = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        else:
            weights = read_weights(checkpoint)
            check_sha256(checkpoint)
        coverage = check_coverage(model.backbone, backbone_weights(weights), checkpoint)
        print_log(f'Backbone {checkpoint}: {coverage}', logger='current')
