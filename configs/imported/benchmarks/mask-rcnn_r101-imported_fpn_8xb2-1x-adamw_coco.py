_base_ = '../../_base_/benchmarks/mask-rcnn_r101_fpn_8xb2-1x-adamw_coco.py'
model = dict(backbone=dict(init_cfg=dict(checkpoint='work_dirs/resnet101_imported/backbone.pth')))
