_base_ = '../../_base_/benchmarks/mask-rcnn_r34_fpn_8xb2-1x-adamw_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet34_auglocal-d5_8xb128-200e_in1k/backbone.pth')))
