"""Hooks of a training: local learning, checks of the input, checkpoints, the export of the backbone."""

from auglocal_mm.engine.hooks.auglocal_hook import AugLocalHook
from auglocal_mm.engine.hooks.checkpoint_hook import CheckpointHook
from auglocal_mm.engine.hooks.data_check_hook import DataCheckHook
from auglocal_mm.engine.hooks.epoch_seed_hook import EpochSeedHook
from auglocal_mm.engine.hooks.evaluation_record_hook import EvaluationRecordHook
from auglocal_mm.engine.hooks.export_backbone_hook import ExportBackboneHook
from auglocal_mm.engine.hooks.finite_loss_hook import FiniteLossHook
from auglocal_mm.engine.hooks.freeze_auxiliary_hook import FreezeAuxiliaryHook
from auglocal_mm.engine.hooks.layer_parallel_hook import LayerParallelHook
from auglocal_mm.engine.hooks.primary_ema_hook import PrimaryEMAHook
from auglocal_mm.engine.hooks.sync_buffers_hook import SyncBuffersHook
from auglocal_mm.engine.hooks.training_cost_hook import TrainingCostHook

__all__ = [
    'AugLocalHook',
    'CheckpointHook',
    'DataCheckHook',
    'EpochSeedHook',
    'EvaluationRecordHook',
    'ExportBackboneHook',
    'FiniteLossHook',
    'FreezeAuxiliaryHook',
    'LayerParallelHook',
    'PrimaryEMAHook',
    'SyncBuffersHook',
    'TrainingCostHook',
]
