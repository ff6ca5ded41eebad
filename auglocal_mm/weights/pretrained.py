"""MMEngine's two ways from a file to weights, through the one reader and the one loader.

``init_cfg=dict(type='Pretrained', checkpoint=...)`` loads what fits and only logs the rest: a network whose names do not
match trains from random weights. It also loads files that are not plain data. Here both are refused.
"""

from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader
from torch import nn

from auglocal_mm.weights.backbone_file import check_sha256
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.load_weights import load_weights
from auglocal_mm.weights.weight_sources import ZOOS

# Every scheme that MMEngine reads by itself; those of storage services are refused with an error.
SCHEMES = ('', 'http://', 'https://', *(f'{zoo}://' for zoo in ZOOS), 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://')


def load_from_checkpoint(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Reads a checkpoint for MMEngine, on the CPU; whoever takes a tensor copies it to its own device."""
    return read_weights(filename)


CheckpointLoader.register_scheme(SCHEMES, load_from_checkpoint, force=True)


@WEIGHT_INITIALIZERS.register_module(name='Pretrained', force=True)
class Pretrained(PretrainedInit):
    """``init_cfg=dict(type='Pretrained', checkpoint=..., prefix=...)`` that covers its module, or refuses."""

    def __call__(self, module: nn.Module) -> None:
        """Loads the weights and reports what matched.

        Raises:
            InputError: The file cannot be read safely, is not the one that its description is of, or does not fit.
        """
        weights = read_weights(self.checkpoint)
        check_sha256(self.checkpoint)
        coverage = load_weights(module, weights, self.checkpoint, self.prefix or '')
        print_log(f'{type(module).__name__} from {self.checkpoint}: {coverage}', logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'Pretrained: loaded from {self.checkpoint}')
