"""What runs a training: optimizer wrappers, hooks and checkpoints."""

from auglocal_mm.engine.hooks import (
    AugLocalHook,
    CheckpointHook,
    DataCheckHook,
    EpochSeedHook,
    ExportBackboneHook,
    PrimaryEMAHook,
)
from auglocal_mm.engine.optim_wrappers import AmpOptimWrapper
from auglocal_mm.weights.pretrained import Pretrained

__all__ = [
    'AmpOptimWrapper',
    'AugLocalHook',
    'CheckpointHook',
    'DataCheckHook',
    'EpochSeedHook',
    'ExportBackboneHook',
    'Pretrained',
    'PrimaryEMAHook',
]
