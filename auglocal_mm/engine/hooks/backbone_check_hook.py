"""Keeps the description of the backbone that a detector starts from."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.backbone_file import KEPT_RECORD
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.files import write_text
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class BackboneCheckHook(Hook):
    """Copies the description beside ``backbone.init_cfg.checkpoint`` into the work_dir, for comparisons."""

    def before_run(self, runner: Runner) -> None:
        """Copies it where a training starts from its backbone."""
        init_cfg = unwrapped(runner.model).backbone.init_cfg
        if isinstance(init_cfg, dict) and 'checkpoint' in init_cfg and not runner._resume and is_main_process():
            _keep_record(Path(init_cfg['checkpoint']).with_suffix('.json'), Path(runner.work_dir, KEPT_RECORD))


def _keep_record(description: Path, kept: Path) -> None:
    """Copies a backbone's description; without one, that of an earlier run must not pass for it."""
    if description.is_file():
        write_text(kept, description.read_text(encoding='utf-8'))
    else:
        kept.unlink(missing_ok=True)
