# Shared by all transfers to COCO: Mask R-CNN R-50 FPN 1x of the installed MMDetection, COCO in data/coco or in the folder that
# the environment variable COCO names, checks of the data and of the backbone, checkpoints that are written atomically.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py'

custom_imports = dict(imports=['auglocal_mm'], allow_failed_imports=False)
data_root = '{{$COCO:data/coco}}'

load_image = dict(type='auglocal_mm.LoadImageFromFile')  # refuses truncated images

train_pipeline = [load_image, *_base_.train_pipeline[1:]]
test_pipeline = [load_image, *_base_.test_pipeline[1:]]
dataset = dict(type='auglocal_mm.CocoDataset', data_root=data_root)
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='auglocal_mm.CocoMetric', ann_file=data_root + '/annotations/instances_val2017.json')
test_evaluator = val_evaluator

default_hooks = dict(
    checkpoint=dict(type='auglocal_mm.CheckpointHook', interval=1, max_keep_ckpts=2),
    data_check=dict(type='auglocal_mm.DataCheckHook'),
    finite_loss=dict(type='auglocal_mm.FiniteLossHook'),
    evaluation_record=dict(type='auglocal_mm.EvaluationRecordHook'),
)
randomness = dict(seed=0)
