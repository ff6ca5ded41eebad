custom_imports = dict(imports=['auglocal_mm'], allow_failed_imports=False)
default_scope = 'auglocal_mm'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='EpochSeedHook'),
    data_check=dict(type='DataCheckHook'),
    finite_loss=dict(type='FiniteLossHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    evaluation_record=dict(type='EvaluationRecordHook'),
    training_cost=dict(type='TrainingCostHook'),
    export_backbone=dict(type='ExportBackboneHook'),
)
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=True)
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
